//! The panels at the right of a meeting. One at a time is open; each is drawn from the model and keeps only what is typed.
//!
//! All have the same shape: `update(message, &mut model, &choices) -> Action` and `view(context)`.

pub mod chat;
pub mod files;
#[cfg(test)]
mod fixture;
pub mod people;
pub mod recipients;
pub mod stats;
pub mod transfer;

use std::path::PathBuf;

use super::model::meeting::Meeting;
use crate::meeting::Person;

/// The name to show: with the first digits of the key where it could be mistaken for somebody else's.
pub fn name_of(meeting: &Meeting, person: &Person) -> String {
    meeting.name_of(person)
}

/// The same for several.
pub fn names_of(meeting: &Meeting, people: &[Person]) -> Vec<String> {
    people.iter().map(|person| name_of(meeting, person)).collect()
}

/// More files wait for a word, each once.
fn stage(staged: &mut Vec<PathBuf>, more: Vec<PathBuf>) {
    for path in more {
        if !staged.contains(&path) {
            staged.push(path);
        }
    }
}
