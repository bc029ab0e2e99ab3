//! What keys mean. Only keys that no field or button took come here, so nothing fires while somebody types.

use iced::keyboard::{self, Key, key::Named};
use iced::{Event, event, window};

use super::app::Message;
use super::dialog;

/// A key for the screen that is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each name says what it does")]
pub enum Shortcut {
    Microphone,
    Camera,
    Share,
    Hand,
    Chat,
    People,
    Files,
    Stats,
    Grid,
    Speaker,
    Pinned,
    /// Space was pressed.
    Talk,
    /// Space was let go.
    Quiet,
    Escape,
    Paste,
}

/// What a key means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// Tab.
    NextFocus,
    /// Shift and Tab.
    PreviousFocus,
    /// Ctrl and comma.
    Settings,
    /// F1.
    Shortcuts,
    /// Esc.
    Escape,
    /// For the screen.
    Shortcut(Shortcut),
}

/// The keys as the sheet (F1) lists them: the key, what it does.
pub const SHEET: [(&str, &str); 17] = [
    ("M", "Microphone on or off"),
    ("V", "Camera on or off"),
    ("S", "Share a screen, or stop sharing"),
    ("H", "Raise or lower your hand"),
    ("Space", "Talk while held (push-to-talk)"),
    ("C", "Chat"),
    ("P", "People"),
    ("F", "Files"),
    ("T", "Stats"),
    ("G", "Everybody in a grid"),
    ("1", "Who speaks is large"),
    ("2", "The pinned person is large"),
    ("Ctrl V", "Send copied files"),
    ("Ctrl ,", "Settings"),
    ("F1", "This list"),
    ("Tab", "Next control, Shift Tab the one before"),
    ("Esc", "Close what is open"),
];

/// Takes keys that nobody took.
pub fn listen(event: Event, status: event::Status, _: window::Id) -> Option<Message> {
    match (event, status) {
        (Event::Keyboard(event), event::Status::Ignored) => Some(Message::Key(event)),
        // Also while somebody types: a field takes every key that it can write.
        (Event::Keyboard(event @ keyboard::Event::KeyPressed { .. }), event::Status::Captured)
            if is_everywhere(&event) =>
        {
            Some(Message::Key(event))
        }
        // A field takes the first Esc to let go of the keyboard; a dialog around it closes all the same.
        (
            Event::Keyboard(keyboard::Event::KeyPressed { key: Key::Named(Named::Escape), .. }),
            event::Status::Captured,
        ) => Some(Message::Dialog(dialog::Message::Close)),
        _ => None,
    }
}

/// F1, and Ctrl with a comma.
fn is_everywhere(event: &keyboard::Event) -> bool {
    match event {
        keyboard::Event::KeyPressed { key: Key::Named(Named::F1), .. } => true,
        keyboard::Event::KeyPressed { key: Key::Character(c), modifiers, .. } => modifiers.command() && c == ",",
        _ => false,
    }
}

/// What `event` means; `covered` while a dialog or the settings lie over the screen.
pub fn meaning(event: &keyboard::Event, covered: bool) -> Option<Meaning> {
    let (key, modifiers, repeat) = match event {
        keyboard::Event::KeyPressed { key, modifiers, repeat, .. } => (key, *modifiers, *repeat),
        keyboard::Event::KeyReleased { key: Key::Named(Named::Space), .. } => {
            return Some(Meaning::Shortcut(Shortcut::Quiet));
        }
        _ => return None,
    };
    let command = modifiers.command();
    match key {
        Key::Named(Named::Tab) if modifiers.shift() => return Some(Meaning::PreviousFocus),
        Key::Named(Named::Tab) => return Some(Meaning::NextFocus),
        Key::Named(Named::Escape) => return Some(Meaning::Escape),
        Key::Named(Named::F1) => return Some(Meaning::Shortcuts),
        Key::Character(c) if command && c == "," => return Some(Meaning::Settings),
        _ if covered || repeat => return None,
        Key::Character(c) if command && c == "v" => return Some(Meaning::Shortcut(Shortcut::Paste)),
        Key::Named(Named::Space) if modifiers.is_empty() => return Some(Meaning::Shortcut(Shortcut::Talk)),
        _ => {}
    }
    let Key::Character(c) = key else { return None };
    if command || modifiers.alt() || modifiers.logo() {
        return None;
    }
    let shortcut = match c.to_lowercase().as_str() {
        "m" => Shortcut::Microphone,
        "v" => Shortcut::Camera,
        "s" => Shortcut::Share,
        "h" => Shortcut::Hand,
        "c" => Shortcut::Chat,
        "p" => Shortcut::People,
        "f" => Shortcut::Files,
        "t" => Shortcut::Stats,
        "g" => Shortcut::Grid,
        "1" => Shortcut::Speaker,
        "2" => Shortcut::Pinned,
        _ => return None,
    };
    Some(Meaning::Shortcut(shortcut))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_open_also_while_somebody_types() {
        let press = |key: Key, modifiers| {
            let physical_key = keyboard::key::Physical::Unidentified(keyboard::key::NativeCode::Unidentified);
            Event::Keyboard(keyboard::Event::KeyPressed {
                modified_key: key.clone(),
                key,
                physical_key,
                location: keyboard::Location::Standard,
                modifiers,
                text: None,
                repeat: false,
            })
        };
        let taken = |key, modifiers| listen(press(key, modifiers), event::Status::Captured, window::Id::unique());
        assert!(taken(Key::Character(",".into()), keyboard::Modifiers::COMMAND).is_some());
        assert!(taken(Key::Named(Named::F1), keyboard::Modifiers::empty()).is_some());
        assert!(taken(Key::Character("m".into()), keyboard::Modifiers::empty()).is_none());
    }
}
