//! Usernames: claimed, lost, taken.

use super::*;

#[test]
fn a_claimed_username_is_remembered_and_one_that_was_lost_is_not() {
    use crate::meeting::Code;
    let mut bench = Bench::lobby(theme::Choice::Dark);
    let (claim, name) = (Command::Claim("ana".to_owned()), crate::id::Username::new("ana").expect("a name"));
    bench.answered(claim.clone(), Ok(Done::Claimed(name.clone())));
    assert_eq!(bench.app.choices.username, "ana");
    // No service, no verdict: the name stays.
    let away = Failure::new(Code::RendezvousUnreachable, "It does not answer.", "");
    bench.answered(claim.clone(), Err(away));
    assert_eq!(bench.app.choices.username, "ana");
    assert!(!bench.sees("It does not answer."), "the engine says that by a warning");
    let taken = Failure::new(Code::NameTaken, "Username already taken.", "");
    bench.answered(claim, Err(taken));
    assert_eq!(bench.app.choices.username, "");
    assert!(bench.sees(&text::settings::taken_since("ana")) && bench.sees(text::lobby::OPEN_SETTINGS));
    bench.answered(Command::Claim("bo".to_owned()), Ok(Done::Claimed(name.clone())));
    bench.answered(Command::Release("ana".to_owned()), Ok(Done::Released(name)));
    assert_eq!(bench.app.choices.username, "");
}

#[test]
fn a_meeting_that_is_refused_for_its_username_leads_to_the_settings() {
    let mut bench = Bench::meeting(theme::Choice::Dark);
    let name = crate::id::Username::new("ana").expect("a name");
    let trouble = Trouble::from(crate::engine::Error::NameTaken(name));
    let generation = bench.app.session.generation();
    let _ = bench.app.update(Message::Started(generation, Err(trouble)));
    assert!(matches!(bench.app.screen, Screen::Lobby(_)));
    assert!(bench.sees(text::settings::taken_since("ana").trim()) && bench.sees(text::lobby::OPEN_SETTINGS));
    let _ = bench.app.perform(notices::perform(crate::ui::toast::Does::Settings));
    assert!(bench.sees(text::settings::USERNAME), "the page where another one is chosen");
}
