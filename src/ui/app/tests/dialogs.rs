//! Dialogs as pictures that no other test draws: what is typed, picked, rung and found in them.

use super::pictures::{in_each_theme, link};
use super::*;
use crate::engine::doctor::Check;
use crate::id::CallId;

fn join(bench: &mut Bench, message: dialog::join::Message) {
    let _ = bench.app.update(Message::Dialog(dialog::Message::Join(message)));
}

#[test]
fn snapshots_of_the_way_in_by_what_somebody_said() {
    use dialog::join::Message as Join;
    in_each_theme("join", |theme| {
        let mut bench = Bench::lobby(theme);
        bench.company();
        let _ = bench.app.perform(Action::Open(Box::new(Dialog::Join(dialog::join::Join::default()))));
        join(&mut bench, Join::Typed("192.168.7.20:48190".to_owned()));
        // An address alone does not say which meeting.
        join(&mut bench, Join::Join);
        bench
    });
}

#[test]
fn snapshots_of_who_gets_the_files() {
    in_each_theme("send", |theme| {
        let mut bench = Bench::meeting(theme);
        let paths = ["/tmp/holiday.jpg", "/tmp/notes from the long meeting on Tuesday, second version, final.pdf"];
        let _ = bench.app.perform(dialog::send_to_whom(paths.map(Into::into).to_vec()));
        let ana = dialog::send::Message::Toggle(person(0, "Ana").peer);
        let _ = bench.app.update(Message::Dialog(dialog::Message::Send(ana)));
        bench
    });
}

#[test]
fn snapshots_of_a_call_that_rings_there() {
    in_each_theme("calling", |theme| {
        let mut bench = Bench::lobby(theme);
        bench.company();
        let who = person(0, "Ana").peer.to_string();
        let _ = bench.app.perform(Action::Call(who.clone(), "Ana".to_owned()));
        bench.answer(Command::Call { who }, Done::Calling(CallId::from_u64(1)));
        bench
    });
}

#[test]
fn snapshots_of_the_findings_of_the_doctor() {
    in_each_theme("doctor", |theme| {
        let mut bench = Bench::lobby(theme);
        let (message, hint) =
            ("The rendezvous does not answer.", "Your name is unconfirmed; the meeting goes on without it.");
        let code = WarningCode::RendezvousUnreachable;
        let warning = Warning { code, person: None, message: message.to_owned(), hint: hint.to_owned() };
        bench.event(Event::Warning(warning));
        let _ = bench.app.perform(Action::Doctor);
        let network = vec![
            Check::good("interfaces", "eth0 10.0.0.7, wlan0 192.168.7.20"),
            Check::good("port", "UDP 48190 can be used"),
            Check::bad(
                "multicast",
                "what was said to the network did not come back.",
                "Allow UDP port 5353 in the firewall, and ask whether this network lets its machines see one another.",
            ),
        ];
        let _ = bench.app.update(Message::Done(session::Outcome::Checked(network)));
        let devices = vec![
            Check::good("cameras", "Integrated camera"),
            Check::good("microphones", "Headset, Integrated microphone"),
            Check {
                hint: Some("Without a speaker you do not hear others.".to_owned()),
                ..Check::good("speakers", "none found")
            },
        ];
        let _ = bench.app.update(Message::Done(session::Outcome::CheckedDevices(devices)));
        // What is said meanwhile in the corner has a picture of its own.
        bench.app.toasts = Toasts::default();
        bench
    });
}

#[test]
fn snapshots_of_the_sheet_of_keys() {
    in_each_theme("shortcuts", |theme| {
        let mut bench = Bench::meeting(theme);
        let _ = bench.app.perform(Action::Open(Box::new(Dialog::Shortcuts)));
        bench
    });
}

#[test]
fn snapshots_of_the_invitation_for_others() {
    in_each_theme("invite", |theme| {
        let mut bench = Bench::meeting(theme);
        bench.answer(Command::Invite, Done::Invited(link().parse().expect("a link")));
        bench
    });
}
