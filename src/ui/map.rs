//! Where each control and each word stands: written to a file a few times a second while `lets-meet window --map FILE`
//! runs. Tests and people who make guides read it; it stands in for the accessibility tree that iced does not have yet.
//!
//! One JSON object a line: `kind` (`control`, `field`, `box`, `text`), `id`, `text`, `x`, `y`, `width`, `height` in logical
//! pixels of the window, what is scrolled out of sight left out, in the order in which it is drawn.

use std::fmt::Write as _;
use std::path::PathBuf;

use iced::advanced::widget::operation::{Focusable, Outcome, Scrollable, TextInput};
use iced::advanced::widget::{Id, Operation, operate};
use iced::{Rectangle, Task, Vector};

/// Most entries written.
const MOST: usize = 4096;

/// One thing on screen.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    kind: &'static str,
    id: Option<String>,
    text: Option<String>,
    bounds: Rectangle,
    focused: bool,
}

#[derive(Debug)]
struct Collect {
    // At most MOST.
    entries: Vec<Entry>,
    clip: Rectangle,
    offset: Vector,
    scrolled: Option<(Rectangle, Vector)>,
}

// The id of a widget is shown by `Debug` only.
fn name(id: &Id) -> Option<String> {
    let shown = format!("{id:?}");
    let (_, rest) = shown.split_once("Custom(\"")?;
    rest.rsplit_once("\")").map(|(name, _)| name.trim_end_matches("\")").to_owned())
}

impl Collect {
    fn push(&mut self, kind: &'static str, id: Option<&Id>, text: Option<&str>, bounds: Rectangle, focused: bool) {
        let Some(bounds) = (bounds - self.offset).intersection(&self.clip) else { return };
        let id = id.and_then(name);
        if self.entries.len() < MOST && (id.is_some() || text.is_some()) {
            self.entries.push(Entry { kind, id, text: text.map(str::to_owned), bounds, focused });
        }
    }
}

impl Operation<Vec<Entry>> for Collect {
    fn traverse(&mut self, go_on: &mut dyn FnMut(&mut dyn Operation<Vec<Entry>>)) {
        let (clip, offset) = (self.clip, self.offset);
        if let Some((bounds, translation)) = self.scrolled.take() {
            self.clip = (bounds - offset).intersection(&clip).unwrap_or(Rectangle { width: 0.0, height: 0.0, ..clip });
            self.offset = offset + translation;
        }
        go_on(self);
        (self.clip, self.offset) = (clip, offset);
    }

    fn container(&mut self, id: Option<&Id>, bounds: Rectangle) {
        self.push("box", id, None, bounds, false);
    }

    fn scrollable(
        &mut self,
        id: Option<&Id>,
        bounds: Rectangle,
        _: Rectangle,
        translation: Vector,
        _: &mut dyn Scrollable,
    ) {
        self.push("box", id, None, bounds, false);
        self.scrolled = Some((bounds, translation));
    }

    fn focusable(&mut self, id: Option<&Id>, bounds: Rectangle, state: &mut dyn Focusable) {
        self.push("control", id, None, bounds, state.is_focused());
    }

    fn text_input(&mut self, id: Option<&Id>, bounds: Rectangle, state: &mut dyn TextInput) {
        let text = state.text().to_owned();
        self.push("field", id, Some(&text), bounds, false);
    }

    fn text(&mut self, id: Option<&Id>, bounds: Rectangle, text: &str) {
        self.push("text", id, Some(text), bounds, false);
    }

    fn finish(&self) -> Outcome<Vec<Entry>> {
        Outcome::Some(self.entries.clone())
    }
}

/// Looks at everything on screen, in a window of this size.
pub fn look(size: iced::Size) -> Task<Vec<Entry>> {
    let clip = Rectangle::with_size(size);
    operate(Collect { entries: Vec::new(), clip, offset: Vector::ZERO, scrolled: None })
}

/// Writes what was seen, whole or not at all. Blocks on the disk for a moment.
pub fn write(path: &PathBuf, entries: &[Entry]) -> std::io::Result<()> {
    let mut text = String::new();
    for Entry { kind, id, text: words, bounds, focused } in entries {
        let line = serde_json::json!({
            "kind": kind, "id": id, "text": words, "focused": focused,
            "x": bounds.x, "y": bounds.y, "width": bounds.width, "height": bounds.height,
        });
        let _ = writeln!(text, "{line}");
    }
    let temporary = path.with_extension("part");
    std::fs::write(&temporary, text)?;
    std::fs::rename(&temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_widgets_are_read() {
        assert_eq!(name(&Id::new("start")), Some("start".to_owned()));
        assert_eq!(name(&Id::from("call 7f3a".to_owned())), Some("call 7f3a".to_owned()));
        assert_eq!(name(&Id::unique()), None);
    }

    #[test]
    fn what_is_scrolled_away_is_not_on_the_map() {
        let clip = Rectangle::with_size(iced::Size::new(100.0, 100.0));
        let mut map = Collect { entries: Vec::new(), clip, offset: Vector::ZERO, scrolled: None };
        let at = |y: f32| Rectangle { x: 0.0, y, width: 10.0, height: 10.0 };
        map.scrolled = Some((Rectangle { x: 0.0, y: 50.0, width: 100.0, height: 50.0 }, Vector::new(0.0, 30.0)));
        map.traverse(&mut |map| {
            map.text(None, at(60.0), "above");
            map.text(None, at(90.0), "seen");
            map.text(None, at(140.0), "below");
        });
        map.text(None, at(0.0), "beside");
        let seen: Vec<_> =
            map.entries.iter().map(|entry| (entry.text.clone().expect("text"), entry.bounds.y)).collect();
        assert_eq!(seen, [("seen".to_owned(), 60.0), ("beside".to_owned(), 0.0)]);
    }
}
