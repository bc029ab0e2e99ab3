use iced_test::selector::id;

use super::*;
use crate::meeting::{Command, FileStage};
use crate::ui::panel::fixture::{self, Fixture, person};

fn press(fixture: &mut Fixture, files: &mut Files, what: &'static str) -> Vec<Action> {
    let mut simulator = fixture::simulate(fixture, files.view(fixture.context()));
    simulator.click(id(what)).unwrap_or_else(|_| panic!("{what} can be pressed"));
    let messages: Vec<Message> = simulator.into_messages().collect();
    let choices = fixture.choices.clone();
    messages.into_iter().map(|message| files.update(message, &mut fixture.model, &choices)).collect()
}

fn sees(fixture: &Fixture, files: &Files, words: &str) -> bool {
    fixture::simulate(fixture, files.view(fixture.context())).find(words.to_owned()).is_ok()
}

#[test]
fn files_are_picked_for_everyone_or_for_those_who_are_chosen() {
    let (mut fixture, mut files) = (Fixture::new(), Files::default());
    let picked = press(&mut fixture, &mut files, "files-pick");
    assert!(matches!(&picked[..], [Action::PickFiles(to)] if to.is_empty()), "{picked:?}");
    let bo = person(1, "Bo");
    let choose = Message::To(recipients::Message::Toggle(bo.clone()));
    files.update(choose, &mut fixture.model, &Choices::default());
    let picked = press(&mut fixture, &mut files, "files-pick");
    assert!(matches!(&picked[..], [Action::PickFiles(to)] if *to == [bo.peer.to_string()]), "{picked:?}");
    files.on_pasted(Pasted::Files(vec!["/tmp/a.txt".into()]));
    let sent = press(&mut fixture, &mut files, "staged-send");
    assert!(matches!(&sent[..], [Action::SendFiles(_, to)] if *to == [bo.peer.to_string()]), "{sent:?}");
}

#[test]
fn each_transfer_says_how_it_is_and_what_can_be_done() {
    let (mut fixture, mut files) = (Fixture::new(), Files::default());
    assert!(sees(&fixture, &files, text::EMPTY));
    fixture.conversation();
    assert!(sees(&fixture, &files, "From Bo") && sees(&fixture, &files, "64 %, 98.0 MB/s, 4 s left"));
    let accepted = press(&mut fixture, &mut files, "accept-0000000000000002");
    assert!(matches!(&accepted[..], [Action::Engine(Command::AcceptFile(_))]));
    let bo = person(1, "Bo");
    let done = FileStage::Done { path: "/tmp/dataset.tar".into(), blake3: None };
    fixture.file(1, bo.clone(), Direction::In, "dataset.tar", done);
    let opened = press(&mut fixture, &mut files, "open-0000000000000001");
    assert!(matches!(&opened[..], [Action::Reveal(path)] if path.ends_with("dataset.tar")));
    // One of ours fails: it can be sent again from where it lies.
    fixture.file(3, bo.clone(), Direction::Out, "b.txt", FileStage::Offer);
    fixture.model.transfers.on_offered(std::path::Path::new("/home/b.txt"), [fixture::transfer(3)]);
    let failed = FileStage::Failed { reason: "link-lost", resumable: false };
    fixture.file(3, bo, Direction::Out, "b.txt", failed);
    assert!(sees(&fixture, &files, text::failed("link-lost")));
    let again = press(&mut fixture, &mut files, "again-0000000000000003");
    assert!(matches!(&again[..], [Action::SendFiles(paths, _)] if paths[0].ends_with("b.txt")), "{again:?}");
    press(&mut fixture, &mut files, "files-clear");
    assert_eq!(fixture.model.transfers.all().len(), 1, "what waits for an answer stays");
}
