//! The pages of the settings as pictures.

use super::pictures::in_each_theme;
use super::*;
use crate::engine::doctor::Interface;
use crate::id::Username;
use crate::meeting::{KnownPerson, Words};
use crate::ui::screen::settings::{self, Section};

/// The settings over the lobby, with a rendezvous, two interfaces, and people of each kind.
fn page(theme: theme::Choice, section: Section) -> Bench {
    let mut bench = Bench::lobby(theme);
    bench.app.choices.rendezvous = "meet.example.org".to_owned();
    bench.app.choices.interfaces = vec!["eth0".to_owned(), "wlan1".to_owned()];
    bench.app.model.username = Username::new("mira").ok();
    let _ = bench.app.perform(Action::Settings(true));
    let _ = bench.app.update(Message::Settings(settings::Message::Section(section)));
    let address = |text: &str| text.parse().expect("an address");
    let interfaces = vec![
        Interface { name: "eth0".to_owned(), addresses: vec![address("10.0.0.7")] },
        Interface { name: "wlan0".to_owned(), addresses: vec![address("fe80::2")] },
    ];
    let own = Words::of(person(5, "Mira").peer);
    for outcome in [session::Outcome::Interfaces(interfaces), session::Outcome::OwnWords(own)] {
        let _ = bench.app.update(Message::Done(outcome));
    }
    let known =
        |n, name, trust| KnownPerson { person: person(n, name), handle: name.to_owned(), trust, verified_ms: None };
    let people = vec![known(0, "Ana", Trust::Verified), known(1, "Bo", Trust::Known), known(2, "Cy", Trust::Changed)];
    bench.answer(Command::KnownPeople, Done::KnownPeople(people));
    bench
}

#[test]
fn snapshots_of_each_other_page_of_the_settings() {
    let pages = [
        ("profile", Section::Profile),
        ("video", Section::Video),
        ("network", Section::Network),
        ("privacy", Section::Privacy),
        ("appearance", Section::Appearance),
        ("keys", Section::Keys),
        ("keyboard", Section::Shortcuts),
    ];
    for (name, section) in pages {
        in_each_theme(&format!("settings-{name}"), |theme| page(theme, section));
    }
}
