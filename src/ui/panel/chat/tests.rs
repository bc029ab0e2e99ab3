use std::time::Instant;

use iced::keyboard::{Key, key::Named};
use iced_test::selector::id;

use super::*;
use crate::meeting::{Audience, FileStage};
use crate::ui::panel::fixture::{self, Fixture, person};

/// What one did to the panel comes back as actions.
fn act(fixture: &mut Fixture, chat: &mut Chat, messages: Vec<Message>) -> Vec<Action> {
    let choices = fixture.choices.clone();
    messages.into_iter().map(|message| chat.update(message, &mut fixture.model, &choices)).collect()
}

fn press(fixture: &mut Fixture, chat: &mut Chat, what: &'static str) -> Vec<Action> {
    let mut simulator = fixture::simulate(fixture, chat.view(fixture.context()));
    simulator.click(id(what)).unwrap_or_else(|_| panic!("{what} can be pressed"));
    let messages: Vec<Message> = simulator.into_messages().collect();
    act(fixture, chat, messages)
}

fn commands(actions: Vec<Action>) -> Vec<Command> {
    let mut all = Vec::new();
    for action in actions {
        match action {
            Action::Engine(command) => all.push(command),
            Action::Many(more) => all.extend(commands(more)),
            _ => {}
        }
    }
    all
}

fn sees(fixture: &Fixture, chat: &Chat, words: &str) -> bool {
    fixture::simulate(fixture, chat.view(fixture.context())).find(words.to_owned()).is_ok()
}

#[test]
fn enter_says_the_line_to_everyone_and_shift_enter_breaks_it() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    let mut simulator = fixture::simulate(&fixture, chat.view(fixture.context()));
    simulator.click(id(FIELD)).expect("the field");
    simulator.typewrite("hello");
    let shift = iced::keyboard::Modifiers::SHIFT;
    let enter = iced::keyboard::Event::KeyPressed {
        key: Key::Named(Named::Enter),
        modified_key: Key::Named(Named::Enter),
        physical_key: iced::keyboard::key::Physical::Code(iced::keyboard::key::Code::Enter),
        location: iced::keyboard::Location::Standard,
        modifiers: shift,
        text: Some("\n".into()),
        repeat: false,
    };
    simulator.simulate([iced::Event::Keyboard(enter)]);
    simulator.typewrite("মিটিং");
    simulator.tap_key(Key::Named(Named::Enter));
    let messages = simulator.into_messages().collect();
    let said = commands(act(&mut fixture, &mut chat, messages));
    assert_eq!(said, [Command::Say { text: "hello\nমিটিং".to_owned(), to: Vec::new() }]);
    assert!(chat.field.is_empty());
    // Not taken: it is not lost.
    chat.on_failure(&said[0]);
    assert_eq!(chat.field.text(), "hello\nমিটিং");
}

#[test]
fn a_private_line_goes_to_exactly_those_who_were_chosen() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    press(&mut fixture, &mut chat, "chat-to");
    let ana = person(0, "Ana");
    let who = format!("to-{}", ana.peer);
    let mut simulator = fixture::simulate(&fixture, chat.view(fixture.context()));
    simulator.click(iced_test::selector::id(iced::widget::Id::from(who))).expect("Ana");
    let messages = simulator.into_messages().collect();
    act(&mut fixture, &mut chat, messages);
    assert!(sees(&fixture, &chat, "Only Ana will see this"));
    chat.set_field("psst");
    // She leaves: the line is still only for her, and refused rather than told to all.
    fixture.event(crate::meeting::Event::Left { person: ana.clone(), reason: crate::meeting::LeftReason::Goodbye });
    let said = commands(press(&mut fixture, &mut chat, "chat-send"));
    assert_eq!(said, [Command::Say { text: "psst".to_owned(), to: vec![ana.peer.to_string()] }]);
}

#[test]
fn nobody_chosen_sends_nothing() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    let ana = person(0, "Ana");
    for _ in 0..2 {
        chat.update(Message::To(recipients::Message::Toggle(ana.clone())), &mut fixture.model, &Choices::default());
    }
    chat.set_field("x");
    assert!(commands(act(&mut fixture, &mut chat, vec![Message::Send])).is_empty());
    assert_eq!(chat.field.text(), "x");
}

#[test]
fn private_lines_are_told_apart_and_own_lines_say_who_has_them() {
    let (mut fixture, chat) = (Fixture::new(), Chat::default());
    fixture.size.height = 1600.0;
    fixture.conversation();
    for words in ["only you and Ana", "Delivered", "Sent", "Can you take the second half?", "64 %, 98.0 MB/s, 4 s left"]
    {
        assert!(sees(&fixture, &chat, words), "{words}");
    }
}

#[test]
fn a_file_is_accepted_declined_and_cancelled_where_it_stands() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    fixture.size.height = 1200.0;
    fixture.conversation();
    let (one, two) = (fixture::transfer(1), fixture::transfer(2));
    assert_eq!(commands(press(&mut fixture, &mut chat, "cancel-0000000000000001")), [Command::CancelFile(one)]);
    assert_eq!(commands(press(&mut fixture, &mut chat, "accept-0000000000000002")), [Command::AcceptFile(two)]);
    assert_eq!(commands(press(&mut fixture, &mut chat, "decline-0000000000000002")), [Command::DeclineFile(two)]);
    let bo = person(1, "Bo");
    fixture.file(2, bo, crate::meeting::Direction::In, "x", FileStage::Failed { reason: "no-space", resumable: false });
    assert!(sees(&fixture, &chat, crate::ui::text::files::failed("no-space")));
}

#[test]
fn a_line_is_copied_and_its_link_too() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    fixture.says(person(0, "Ana"), "look: https://example.org/x.", Audience::Room, 0);
    press(&mut fixture, &mut chat, "line-0");
    let copied = press(&mut fixture, &mut chat, "line-copy-link");
    assert!(matches!(&copied[..], [Action::Copy(words, _)] if words == "https://example.org/x"), "{copied:?}");
    press(&mut fixture, &mut chat, "line-0");
    let copied = press(&mut fixture, &mut chat, "line-copy");
    assert!(matches!(&copied[..], [Action::Copy(words, _)] if words == "look: https://example.org/x."), "{copied:?}");
    press(&mut fixture, &mut chat, "line-0");
    press(&mut fixture, &mut chat, "line-reply");
    assert_eq!(*chat.recipients.to(), To::People(vec![person(0, "Ana")]));
}

#[test]
fn an_emoji_goes_into_the_field() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    press(&mut fixture, &mut chat, "chat-emoji");
    press(&mut fixture, &mut chat, "emoji-🎉");
    assert_eq!(chat.field.text(), "🎉");
    assert!(chat.on_escape());
    assert!(!chat.emoji && !chat.on_escape());
}

#[test]
fn pasted_files_wait_for_a_word_and_pasted_text_does_not() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    chat.on_pasted(Pasted::Text("from elsewhere".to_owned()));
    assert_eq!(chat.field.text(), "from elsewhere");
    chat.on_pasted(Pasted::Files(vec!["/tmp/a.txt".into()]));
    assert!(sees(&fixture, &chat, "a.txt"));
    let sent = press(&mut fixture, &mut chat, "staged-send");
    let is_it = |action: &Action| match action {
        Action::Many(all) => matches!(&all[0], Action::SendFiles(paths, to) if paths.len() == 1 && to.is_empty()),
        _ => false,
    };
    assert!(sent.iter().any(is_it), "{sent:?}");
    assert!(chat.staged.is_empty());
    let long = chat.on_pasted(Pasted::Text("x".repeat(MAX_CHAT_BYTES)));
    assert!(matches!(long, Action::Toast(_)));
}

#[test]
fn who_reads_further_up_is_not_moved_and_told_of_new_lines() {
    let (mut fixture, mut chat) = (Fixture::new(), Chat::default());
    for number in 0..200 {
        fixture.says(person(0, "Ana"), &format!("line {number}"), Audience::Room, 0);
    }
    chat.on_open(&mut fixture.model);
    assert!(sees(&fixture, &chat, "line 199") && !sees(&fixture, &chat, "line 0"));
    let ui_size = fixture.size;
    // One interface over several views, as the window has it.
    let mut window = Window::new(ui_size);
    window.see(&fixture, &chat, Vec::new());
    let wheel = iced::mouse::Event::WheelScrolled { delta: iced::mouse::ScrollDelta::Lines { x: 0.0, y: 20.0 } };
    let messages = window.see(&fixture, &chat, vec![iced::Event::Mouse(wheel)]);
    act(&mut fixture, &mut chat, messages);
    let messages = window.see(&fixture, &chat, Vec::new());
    act(&mut fixture, &mut chat, messages);
    assert!(!chat.at_end);
    let place = window.place_of(&fixture, &chat);
    for number in 200..230 {
        fixture.says(person(1, "Bo"), &format!("line {number}"), Audience::Room, 0);
        chat.on_model_changed(&mut fixture.model);
    }
    window.see(&fixture, &chat, Vec::new());
    assert_eq!(window.place_of(&fixture, &chat), place, "what is read stays where it is");
    assert!(sees(&fixture, &chat, "30 new messages"));
    press(&mut fixture, &mut chat, "chat-end");
    window.see(&fixture, &chat, Vec::new());
    assert!(window.shown(&fixture, &chat).contains(&"line 229".to_owned()));
    assert_eq!(fixture.model.meeting.as_ref().map(|meeting| meeting.chat.unread), Some(0));
}

#[test]
fn two_thousand_lines_and_a_running_transfer_cost_no_more_than_a_few() {
    let cost = |lines: usize| {
        let (mut fixture, chat) = (Fixture::new(), Chat::default());
        fixture.conversation();
        for number in 0..lines {
            let from = if number % 3 == 0 { person(0, "Ana") } else { person(1, "Bo") };
            fixture.says(
                from,
                &format!("line {number} with some more words in it, as people write"),
                Audience::Room,
                0,
            );
        }
        let mut window = Window::new(fixture.size);
        window.see(&fixture, &chat, Vec::new());
        let mut times: Vec<std::time::Duration> = (0..40_u64)
            .map(|round| {
                let began = crate::clock::now();
                let progress = FileStage::Progress { done: round * 1_000_000, rate: Some(1), eta_ms: Some(1) };
                fixture.file(1, person(1, "Bo"), crate::meeting::Direction::In, "dataset.tar", progress);
                window.see(&fixture, &chat, Vec::new());
                crate::clock::now() - began
            })
            .collect();
        times.sort();
        times[times.len() / 2]
    };
    let (few, many) = (cost(20), cost(2_000));
    println!("view, layout and redraw request: {few:?} with 20 lines, {many:?} with 2000");
    assert!(many < few * 3 + std::time::Duration::from_millis(2), "{few:?} with 20 lines, {many:?} with 2000");
}

/// A window whose widgets keep their state over several views.
struct Window {
    size: iced::Size,
    cache: Option<iced_test::runtime::user_interface::Cache>,
    renderer: iced::Renderer,
}

type Interface<'a> = iced_test::runtime::UserInterface<'a, Message, iced::Theme, iced::Renderer>;

impl Window {
    fn new(size: iced::Size) -> Self {
        use iced::advanced::renderer::Headless as _;
        let renderer = iced::Renderer::new(crate::ui::theme::REGULAR, iced::Pixels(14.0), Some("tiny-skia"));
        let renderer = iced_test::futures::futures::executor::block_on(renderer).expect("a renderer");
        Self { size, cache: Some(Default::default()), renderer }
    }

    fn build<'a>(&mut self, fixture: &'a Fixture, chat: &'a Chat) -> Interface<'a> {
        let cache = self.cache.take().expect("only one at a time");
        Interface::build(chat.view(fixture.context()), self.size, cache, &mut self.renderer)
    }

    /// One view, and what came of `events` in it.
    fn see(&mut self, fixture: &Fixture, chat: &Chat, mut events: Vec<iced::Event>) -> Vec<Message> {
        let mut messages = Vec::new();
        let mut interface = self.build(fixture, chat);
        let now: Instant = crate::clock::now();
        events.push(iced::Event::Window(iced::window::Event::RedrawRequested(now)));
        let cursor = iced::mouse::Cursor::Available(iced::Point::new(self.size.width / 2.0, 100.0));
        let mut clipboard = iced::advanced::clipboard::Null;
        interface.update(&events, cursor, &mut self.renderer, &mut clipboard, &mut messages);
        self.cache = Some(interface.into_cache());
        messages
    }

    /// The text that is in view, with its place.
    fn texts(&mut self, fixture: &Fixture, chat: &Chat) -> Vec<(String, i32)> {
        struct Texts(Vec<(String, i32)>);
        impl iced::advanced::widget::Operation for Texts {
            fn traverse(&mut self, operate: &mut dyn FnMut(&mut dyn iced::advanced::widget::Operation)) {
                operate(self);
            }
            fn text(&mut self, _: Option<&iced::widget::Id>, bounds: iced::Rectangle, text: &str) {
                #[expect(clippy::cast_possible_truncation, reason = "pixels of a window")]
                self.0.push((text.to_owned(), bounds.y.round() as i32));
            }
        }
        let mut texts = Texts(Vec::new());
        let mut interface = self.build(fixture, chat);
        interface.operate(&self.renderer, &mut texts);
        self.cache = Some(interface.into_cache());
        texts.0
    }

    fn shown(&mut self, fixture: &Fixture, chat: &Chat) -> Vec<String> {
        self.texts(fixture, chat).into_iter().map(|(text, _)| text).collect()
    }

    fn place_of(&mut self, fixture: &Fixture, chat: &Chat) -> Option<(String, i32)> {
        self.texts(fixture, chat).into_iter().find(|(text, y)| text.starts_with("line ") && *y > 100)
    }
}
