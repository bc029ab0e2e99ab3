use iced_test::selector::id;

use super::*;
use crate::ui::panel::fixture::{self, Fixture};
use crate::ui::screen::stats::page;

fn press(fixture: &mut Fixture, stats: &mut Stats, what: &'static str) -> Vec<Action> {
    let context = fixture.context();
    let view = if stats.is_expanded() { page(stats, context) } else { stats.view(context) };
    let mut simulator = fixture::simulate(fixture, view);
    simulator.click(id(what)).unwrap_or_else(|_| panic!("{what} can be pressed"));
    let messages: Vec<Message> = simulator.into_messages().collect();
    let choices = fixture.choices.clone();
    messages.into_iter().map(|message| stats.update(message, &mut fixture.model, &choices)).collect()
}

#[test]
fn the_page_has_a_row_for_each_peer_and_saves_tables() {
    let (mut fixture, mut stats) = (Fixture::new(), Stats::default());
    fixture.figures();
    press(&mut fixture, &mut stats, "stats-expand");
    assert!(stats.is_expanded());
    fixture.size = iced::Size::new(1280.0, 800.0);
    let mut simulator = fixture::simulate(&fixture, page(&stats, fixture.context()));
    for words in ["Ana", "0.8 ms", "2.1 %", "640×360 · 30", "360p", "18 ms", "2.1 Mbit/s", "800 kbit/s", "Cy"] {
        assert!(simulator.find(words).is_ok(), "{words}");
    }
    drop(simulator);
    let saved = press(&mut fixture, &mut stats, "export-csv");
    assert!(
        matches!(&saved[..], [Action::Save(csv, name)] if csv.lines().count() == 301 && name == "lets-meet-standup.csv")
    );
    let saved = press(&mut fixture, &mut stats, "export-json");
    let [Action::Save(json, _)] = &saved[..] else { panic!("{saved:?}") };
    let json: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(json["seconds"].as_array().map(Vec::len), Some(300));
    assert_eq!(json["peers"].as_object().map(serde_json::Map::len), Some(2));
    assert!(stats.on_escape() && !stats.is_expanded());
}

#[test]
fn a_line_is_hidden_by_its_name() {
    let (mut fixture, mut stats) = (Fixture::new(), Stats::default());
    press(&mut fixture, &mut stats, "legend-video");
    assert!(stats.hidden.contains(&Kind::Video));
    press(&mut fixture, &mut stats, "legend-video");
    assert!(stats.hidden.is_empty());
}
