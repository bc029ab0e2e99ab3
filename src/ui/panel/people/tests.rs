//! The panel of people: who is here and who is near, and what can be done with them.

use iced_test::Simulator;
use iced_test::selector::id;

use super::*;
use crate::meeting::{Event, Nearby};
use crate::ui::dialog::Dialog;
use crate::ui::panel::fixture::{Fixture, person, simulate};

fn see<'a>(fixture: &'a Fixture, people: &'a People) -> Simulator<'a, Message> {
    simulate(fixture, people.view(fixture.context()))
}

fn press(fixture: &mut Fixture, name: String) -> Action {
    let mut people = People::default();
    let mut shown = see(fixture, &people);
    shown.click(id(iced::widget::Id::from(name.clone()))).unwrap_or_else(|_| panic!("{name} is not there"));
    let messages: Vec<Message> = shown.into_messages().collect();
    let choices = fixture.choices.clone();
    let mut all = messages.into_iter().map(|message| people.update(message, &mut fixture.model, &choices));
    all.next().unwrap_or_else(|| panic!("{name} does nothing"))
}

fn near(n: u8, name: &str, trust: Trust) -> NearbyPerson {
    let person = person(n, name);
    NearbyPerson { handle: name.to_owned(), person, trust, rooms: Vec::new(), addresses: Vec::new() }
}

/// Ana is here and in sight; Di, Eve and another key of Ana are in sight alone.
fn company() -> Fixture {
    let mut fixture = Fixture::new();
    // High enough to show all of them without scrolling.
    fixture.size.height = 2000.0;
    let people = vec![
        near(0, "Ana", Trust::Known),
        near(7, "Di", Trust::Verified),
        near(8, "Eve", Trust::New),
        near(9, "Ana", Trust::Changed),
    ];
    fixture.event(Event::Nearby(Nearby { people, meetings: Vec::new() }));
    fixture
}

#[test]
fn who_is_in_sight_alone_is_called_into_the_meeting() {
    let mut fixture = company();
    assert!(see(&fixture, &People::default()).find(words::NEARBY_HOW).is_ok());
    for (n, name) in [(7, "Di"), (8, "Eve")] {
        let peer = person(n, name).peer;
        match press(&mut fixture, format!("call-{}", peer.short())) {
            Action::Call(who, called) => assert_eq!((who, called.as_str()), (peer.to_string(), name)),
            other => panic!("{other:?}"),
        }
    }
    let here = person(0, "Ana").peer.short();
    let people = People::default();
    assert!(see(&fixture, &people).find(id(iced::widget::Id::from(format!("call-{here}")))).is_err(), "is here");
    // Nobody else is in sight: nothing to show.
    fixture.event(Event::Nearby(Nearby { people: vec![near(0, "Ana", Trust::Known)], meetings: Vec::new() }));
    assert!(see(&fixture, &people).find(words::NEARBY_HOW).is_err());
}

#[test]
fn a_key_in_sight_is_compared_or_decided_about() {
    let mut fixture = company();
    let mut opens = |n: u8| {
        let name = format!("verify-{}", person(n, "x").peer.short());
        let Action::Many(all) = press(&mut fixture, name) else { panic!("no dialog") };
        assert!(matches!(all[0], Action::Engine(Command::Words { .. })));
        let Some(Action::Open(dialog)) = all.into_iter().nth(1) else { panic!("no dialog") };
        *dialog
    };
    assert!(matches!(opens(8), Dialog::Verify(_)));
    assert!(matches!(opens(9), Dialog::Changed(_)));
    let there = |name: String| see(&fixture, &People::default()).find(id(iced::widget::Id::from(name))).is_ok();
    assert!(!there(format!("call-{}", person(9, "x").peer.short())), "it would be refused");
    assert!(!there(format!("verify-{}", person(7, "x").peer.short())));
}

#[test]
fn calls_stay_in_the_panel_with_large_text_and_long_names() {
    for percent in [100, 200] {
        let mut fixture = company();
        fixture.look = crate::ui::theme::Look::new(fixture.choices.theme, false, percent, true);
        let long = "W".repeat(64);
        let people = vec![near(7, &long, Trust::New), near(9, &long, Trust::Changed)];
        fixture.event(Event::Nearby(Nearby { people, meetings: Vec::new() }));
        let short = |n: u8| person(n, "x").peer.short();
        for name in [format!("call-{}", short(7)), format!("verify-{}", short(7)), format!("verify-{}", short(9))] {
            let people = People::default();
            let bounds = see(&fixture, &people).find(id(iced::widget::Id::from(name.clone()))).expect("there").bounds();
            let fits = bounds.x >= 0.0 && bounds.x + bounds.width <= fixture.size.width && bounds.width >= 24.0;
            assert!(fits, "{name} stands at {bounds:?} at {percent} %");
        }
    }
}
