//! Whatever the mouse can press is reached by Tab, and each control has a name of its own.

use iced::advanced::layout::{Layout, Limits, Node};
use iced::advanced::widget::operation::{Focusable, Outcome, focusable};
use iced::advanced::widget::{Id, Operation, Tree};
use iced::{Point, Rectangle, mouse};

use super::*;
use crate::ui::dialog::{calling, incoming, invite, join};
use crate::ui::panel::stats;
use crate::ui::snapshot;

/// From one place where the mouse is held to the next, pixels: less than the smallest control.
const STEP: f32 = 10.0;

/// A control.
#[derive(Debug, Clone)]
struct Control {
    id: Option<Id>,
    bounds: Rectangle,
    focused: bool,
}

/// All controls, in the order of Tab.
#[derive(Default)]
struct Controls(Vec<Control>);

impl Operation for Controls {
    fn traverse(&mut self, go_on: &mut dyn FnMut(&mut dyn Operation)) {
        go_on(self);
    }

    fn focusable(&mut self, id: Option<&Id>, bounds: Rectangle, state: &mut dyn Focusable) {
        self.0.push(Control { id: id.cloned(), bounds, focused: state.is_focused() });
    }
}

/// What is on screen, laid out.
struct Surface<'a> {
    content: iced::Element<'a, Message>,
    tree: Tree,
    node: Node,
    renderer: iced::Renderer,
    size: Size,
}

impl<'a> Surface<'a> {
    fn new(app: &'a App) -> Self {
        let renderer = snapshot::renderer();
        let mut content = app.view();
        let mut tree = Tree::new(&content);
        let limits = Limits::new(Size::ZERO, app.size);
        let node = content.as_widget_mut().layout(&mut tree, &renderer, &limits);
        Self { content, tree, node, renderer, size: app.size }
    }

    fn operate(&mut self, operation: &mut dyn Operation) {
        let (layout, widget) = (Layout::new(&self.node), self.content.as_widget_mut());
        widget.operate(&mut self.tree, layout, &self.renderer, operation);
    }

    fn controls(&mut self) -> Vec<Control> {
        let mut all = Controls::default();
        self.operate(&mut all);
        all.0
    }

    /// What Tab does.
    fn tab(&mut self) {
        let mut next: Option<Box<dyn Operation>> = Some(Box::new(focusable::focus_next()));
        while let Some(mut operation) = next.take() {
            self.operate(operation.as_mut());
            if let Outcome::Chain(operation) = operation.finish() {
                next = Some(operation);
            }
        }
    }

    /// Where the mouse could press something.
    fn pressed(&self) -> Vec<Point> {
        let (layout, viewport) = (Layout::new(&self.node), Rectangle::with_size(self.size));
        let steps = |end: f32| std::iter::successors(Some(0.0), |at| Some(at + STEP)).take_while(move |at| *at < end);
        let across = self.size.width;
        let places = steps(self.size.height).flat_map(|y| steps(across).map(move |x| Point::new(x, y)));
        let held = |at: &Point| {
            let cursor = mouse::Cursor::Available(*at);
            let widget = self.content.as_widget();
            let over = widget.mouse_interaction(&self.tree, layout, cursor, &viewport, &self.renderer);
            matches!(over, mouse::Interaction::Pointer | mouse::Interaction::Grab | mouse::Interaction::Text)
        };
        places.filter(held).collect()
    }
}

fn check(name: &str, app: &App) {
    let mut surface = Surface::new(app);
    let all = surface.controls();
    let mut names: Vec<String> = all.iter().map(|control| format!("{:?}", control.id)).collect();
    assert!(all.iter().all(|control| control.id.is_some()), "{name}: a control without a name in {names:?}");
    names.sort();
    assert!(names.windows(2).all(|two| two[0] != two[1]), "{name}: two of one name in {names:?}");
    let mut visited = Vec::new();
    for _ in &all {
        surface.tab();
        let focused: Vec<Control> = surface.controls().into_iter().filter(|control| control.focused).collect();
        let [one] = &focused[..] else { panic!("{name}: {focused:?} have the keyboard") };
        visited.push(format!("{:?}", one.id));
    }
    visited.sort();
    assert_eq!(visited, names, "{name}");
    let over = |at: &Point| all.iter().any(|control| control.bounds.expand(1.0).contains(*at));
    let (reached, mouse_only): (Vec<Point>, Vec<Point>) = surface.pressed().into_iter().partition(over);
    assert!(!reached.is_empty(), "{name}: nothing can be pressed at all");
    assert!(mouse_only.is_empty(), "{name}: pressed by the mouse alone at {mouse_only:?} of {all:?}");
}

#[test]
fn every_control_of_the_lobby_is_reached_by_tab() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    check("an empty lobby", &bench.app);
    bench.company();
    for message in [lobby::Message::Pickers, lobby::Message::Name("Mira K".to_owned())] {
        let _ = bench.app.update(Message::Lobby(message));
    }
    check("a lobby with people", &bench.app);
    bench.app.choices.announce = false;
    bench.app.session.on_failed(Trouble::new("No port.", "Choose another.").way(session::Way::Settings));
    check("a lobby without an engine", &bench.app);
}

#[test]
fn every_control_of_a_meeting_is_reached_by_tab() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    check("a meeting", &bench.app);
    for menu in [meeting::Menu::React, meeting::Menu::More] {
        let _ = bench.app.update(Message::Meeting(meeting::Message::Menu(menu)));
        check("a menu", &bench.app);
    }
    let _ = bench.app.update(Message::Meeting(meeting::Message::CloseMenu));
    bench.app.toasts.push(bench.app.now, Toast::new(Tone::Plain, "Bo came").with("Show", toast::Does::Settings));
    check("a toast", &bench.app);
    let mut alone = Bench::alone(theme::Choice::Dark);
    alone.event(Event::Nearby(Nearby::default()));
    alone.answer(Command::Invite, Done::Invited(link().parse().expect("a link")));
    check("nobody else", &alone.app);
}

#[test]
fn every_control_of_each_panel_is_reached_by_tab() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    bench.rates();
    bench.says(person(0, "Ana"), "See https://example.org/a", Audience::Room, TEST_NOON);
    let (person, file) = (person(1, "Bo"), crate::share::FileName::new("dataset.tar"));
    let (transfer, direction) = (crate::id::TransferId::from_u64(1), crate::meeting::Direction::In);
    let stage = crate::meeting::FileStage::Offer;
    let offer = crate::meeting::FileEvent { transfer, person, direction, file, size: 5, stage };
    bench.event(Event::File(offer));
    for panel in [Panel::Chat, Panel::People, Panel::Files, Panel::Stats] {
        bench.panel(panel);
        check(&format!("{panel:?}"), &bench.app);
    }
    let expand = meeting::Message::Stats(stats::Message::Expand(true));
    let _ = bench.app.update(Message::Meeting(expand));
    check("the page of figures", &bench.app);
    bench.panel(Panel::Chat);
    bench.window(window::Event::FileDropped("/tmp/plan.pdf".into()));
    bench.chat(chat::Message::To(recipients::Message::Open(true)));
    check("the recipients", &bench.app);
    bench.chat(chat::Message::Emoji(true));
    check("the emoji", &bench.app);
}

#[test]
fn every_control_of_the_settings_is_reached_by_tab() {
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let _ = bench.app.perform(Action::Settings(true));
    for section in settings::Section::ALL {
        let _ = bench.app.update(Message::Settings(settings::Message::Section(section)));
        check(&format!("{section:?}"), &bench.app);
    }
}

fn link() -> String {
    format!("letsmeet://join?room=Stand-up&by={}&at=10.0.0.7:48190", person(0, "Ana").peer)
}

#[test]
fn every_control_of_each_dialog_is_reached_by_tab() {
    let bo = person(1, "Bo");
    let invitation: crate::invite::Invite = link().parse().expect("a link");
    let ring = incoming::Ring::new(crate::id::CallId::from_u64(1), bo.clone(), Trust::New, room("call"));
    let dialogs = [
        Action::Open(Box::new(Dialog::Shortcuts)),
        Action::Open(Box::new(Dialog::Join(join::Join::default()))),
        Action::Open(Box::new(Dialog::Invite(invite::Invite::new(&invitation)))),
        Action::Open(Box::new(Dialog::Ring(ring))),
        Action::Open(Box::new(Dialog::Calling(calling::Calling::new(bo.peer.to_string(), "Bo".to_owned())))),
        dialog::verify(bo.clone()),
        dialog::changed(bo),
        dialog::send_to_whom(vec!["/tmp/plan.pdf".into()]),
        dialog::open_link(&link()),
        Action::Open(Box::new(Dialog::Doctor)),
    ];
    for open in dialogs {
        let mut bench = Bench::lobby(theme::Choice::Dark);
        bench.company();
        let name = format!("{open:?}");
        let _ = bench.app.perform(open);
        bench.app.look_at_top();
        // A ring takes no press at first.
        bench.app.now = clock::now() + dialog::ARMED;
        check(&name, &bench.app);
    }
}
