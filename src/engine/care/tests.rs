//! The care for devices in virtual time: a machine whose devices come, go and fail.

use super::*;

const BUILT_IN: &str = "Built-in Audio";
const HEADSET: &str = "Headset";

/// A machine with one kind of device, and the shell that does what the care says.
struct Desk {
    kind: Kind,
    care: Care,
    now: Instant,
    /// Names; the first is the default unless another is.
    there: Vec<&'static str>,
    default: Option<&'static str>,
    /// Those that do not open.
    broken: Vec<&'static str>,
    open: Option<&'static str>,
    said: Vec<Told>,
    tries: u32,
    /// The system does not answer.
    deaf: bool,
}

impl Desk {
    fn new(kind: Kind, there: &[&'static str]) -> Self {
        let (open, default, broken, said) = (None, None, Vec::new(), Vec::new());
        let now = crate::clock::now();
        let there = there.to_vec();
        Self { kind, care: Care::new(kind), now, there, default, broken, open, said, tries: 0, deaf: false }
    }

    fn device(&self, name: &'static str) -> Device {
        let is_default = self.default.or(self.there.first().copied()) == Some(name);
        Device::new(self.kind, name, &format!("id-{name}"), is_default)
    }

    fn devices(&self) -> Devices {
        Devices::new(self.there.iter().map(|name| self.device(name)))
    }

    /// A person chooses, and the device opens.
    fn choose(&mut self, choice: DeviceChoice) {
        let name = self.devices().find(self.kind, &choice).expect("it is there").name.clone();
        let name = *self.there.iter().find(|there| ***there == name).expect("it is there");
        self.care.on_wish(Some(choice.clone()), true);
        self.care.on_opened(&choice, self.device(name));
        self.open = Some(name);
        self.work();
    }

    fn named(&mut self, name: &str) {
        self.choose(DeviceChoice::Name(name.to_owned()));
    }

    fn switch(&mut self, on: bool) {
        let wish = self.care.wish.clone();
        self.care.on_wish(wish, on);
    }

    fn work(&mut self) {
        while let Some(todo) = self.care.poll(self.now) {
            match todo {
                Do::Close => self.open = None,
                Do::Look if self.deaf => {}
                Do::Look => self.care.on_devices(self.now, &self.devices()),
                Do::Tell(told) => {
                    if matches!(told, Told::Lost { .. }) {
                        self.open = None;
                    }
                    self.said.push(told);
                }
                Do::Open(choice) => {
                    assert!(self.care.on, "what is off is never opened");
                    self.tries += 1;
                    let found = self.devices().find(self.kind, &choice).cloned();
                    let name = found.and_then(|found| self.there.iter().find(|name| **name == found.name).copied());
                    match name.filter(|name| !self.broken.contains(name)) {
                        Some(name) => {
                            self.open = Some(name);
                            self.care.on_opened(&choice, self.device(name));
                        }
                        None => self.care.on_failed(self.now),
                    }
                }
            }
        }
    }

    /// Time goes on, with a list each second as the shell asks for it.
    fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += Duration::from_secs(1);
            if self.care.watches() && !self.deaf {
                self.care.on_devices(self.now, &self.devices());
            }
            self.work();
        }
    }

    fn pull(&mut self, name: &'static str) {
        self.there.retain(|there| *there != name);
        if self.open == Some(name) {
            self.open = None;
            self.care.on_lost(self.now, name, Cause::Gone);
        }
        self.work();
    }

    fn fail(&mut self, name: &'static str) {
        self.broken.push(name);
        self.open = None;
        self.care.on_lost(self.now, name, Cause::Fails("it is frozen".to_owned()));
        self.work();
    }

    fn said(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.said)
    }
}

fn replaced(was: &str, now: &str) -> Told {
    Told::Replaced { was: was.to_owned(), cause: Cause::Gone, now: now.to_owned() }
}

fn back(now: &str) -> Told {
    Told::Back { now: now.to_owned() }
}

fn lost(was: &str) -> Told {
    Told::Lost { was: was.to_owned(), cause: Cause::Gone }
}

#[test]
fn a_lost_microphone_or_speaker_is_replaced_and_taken_again_when_it_is_back() {
    for kind in [Kind::Microphone, Kind::Speaker] {
        let mut desk = Desk::new(kind, &[BUILT_IN, HEADSET]);
        desk.named(HEADSET);
        desk.wait(5);
        assert_eq!((desk.open, desk.said()), (Some(HEADSET), vec![]));
        desk.pull(HEADSET);
        assert_eq!((desk.open, desk.said()), (Some(BUILT_IN), vec![replaced(HEADSET, BUILT_IN)]));
        desk.wait(60);
        assert_eq!((desk.said(), desk.tries), (vec![], 1), "nothing more is tried or said");
        desk.there.push(HEADSET);
        desk.wait(1);
        assert_eq!((desk.open, desk.said()), (Some(HEADSET), vec![back(HEADSET)]));
    }
}

#[test]
fn where_nothing_is_left_it_is_off_and_comes_back_by_itself() {
    let mut desk = Desk::new(Kind::Microphone, &[HEADSET]);
    desk.choose(DeviceChoice::Default);
    desk.pull(HEADSET);
    assert_eq!((desk.open, desk.said()), (None, vec![lost(HEADSET)]));
    assert!(desk.care.is_lost());
    desk.wait(100);
    assert_eq!(desk.said(), [], "said once");
    assert!(
        (10..=60).contains(&desk.tries),
        "a default that no list shows is looked for, not too often: {}",
        desk.tries
    );
    desk.there = vec![HEADSET];
    desk.wait(1);
    assert_eq!((desk.open, desk.said()), (Some(HEADSET), vec![back(HEADSET)]));
    desk.pull(HEADSET);
    desk.there = vec![BUILT_IN];
    desk.wait(1);
    assert_eq!(desk.said(), [lost(HEADSET), replaced(HEADSET, BUILT_IN)]);
}

#[test]
fn what_is_off_is_never_opened() {
    for kind in Kind::ALL {
        let mut desk = Desk::new(kind, &[BUILT_IN, HEADSET]);
        desk.choose(DeviceChoice::Default);
        desk.switch(false);
        desk.pull(BUILT_IN);
        desk.wait(10);
        desk.there = vec![BUILT_IN, HEADSET];
        desk.default = Some(HEADSET);
        desk.wait(10);
        assert_eq!((desk.open, desk.tries, desk.said()), (None, 0, vec![]), "{kind}");
        // Lost first, and switched off then.
        let mut desk = Desk::new(kind, &[HEADSET]);
        desk.choose(DeviceChoice::Default);
        desk.pull(HEADSET);
        desk.switch(false);
        let tries = desk.tries;
        desk.there = vec![HEADSET];
        desk.wait(10);
        assert_eq!((desk.open, desk.tries), (None, tries), "{kind}");
    }
}

#[test]
fn what_is_off_and_was_moved_elsewhere_by_the_server_is_closed() {
    let mut desk = Desk::new(Kind::Microphone, &[BUILT_IN, HEADSET]);
    desk.named(HEADSET);
    desk.wait(1);
    desk.switch(false);
    desk.there = vec![BUILT_IN];
    desk.wait(1);
    assert_eq!((desk.open, desk.tries, desk.said()), (None, 0, vec![]));
}

#[test]
fn a_camera_that_was_chosen_shows_no_other_room() {
    let mut desk = Desk::new(Kind::Camera, &["Kitchen", "Desk"]);
    desk.named("Desk");
    desk.pull("Desk");
    assert_eq!((desk.open, desk.said()), (None, vec![lost("Desk")]));
    desk.wait(30);
    assert_eq!((desk.open, desk.tries), (None, 0));
    desk.there.push("Desk");
    desk.wait(1);
    assert_eq!((desk.open, desk.said()), (Some("Desk"), vec![back("Desk")]));
    // By its place, which is another camera's since.
    let mut desk = Desk::new(Kind::Camera, &["Desk", "Kitchen"]);
    desk.choose(DeviceChoice::Index(0));
    desk.pull("Desk");
    desk.wait(30);
    assert_eq!((desk.open, desk.said()), (None, vec![lost("Desk")]));
}

#[test]
fn a_node_that_is_another_camera_since_is_not_the_chosen_one() {
    let mut care = Care::new(Kind::Camera);
    let (now, choice) = (crate::clock::now(), DeviceChoice::Name("/dev/video0".to_owned()));
    care.on_wish(Some(choice.clone()), true);
    care.on_opened(&choice, Device::new(Kind::Camera, "Desk", "/dev/video0", true));
    care.on_lost(now, "", Cause::Gone);
    assert_eq!(care.poll(now), Some(Do::Look));
    care.on_devices(now, &Devices::new([Device::new(Kind::Camera, "Kitchen", "/dev/video0", true)]));
    assert_eq!(care.poll(now), Some(Do::Tell(lost("Desk"))));
    assert_eq!(care.poll(now), None);
    care.on_devices(now, &Devices::new([Device::new(Kind::Camera, "Desk", "/dev/video4", true)]));
    assert_eq!(care.poll(now), Some(Do::Open(DeviceChoice::Exact("/dev/video4".to_owned()))));
}

#[test]
fn a_camera_of_the_same_name_shows_another_room() {
    let camera = |id: &str| Device::new(Kind::Camera, "Desk", id, false);
    for seen in [true, false] {
        let mut care = Care::new(Kind::Camera);
        let (now, choice) = (crate::clock::now(), DeviceChoice::Name("/dev/video2".to_owned()));
        care.on_wish(Some(choice.clone()), true);
        care.on_opened(&choice, camera("/dev/video2"));
        if seen {
            care.on_devices(now, &Devices::new([camera("/dev/video0"), camera("/dev/video2")]));
        }
        assert_eq!(care.poll(now), None);
        care.on_lost(now, "", Cause::Gone);
        assert_eq!(care.poll(now), Some(Do::Look));
        care.on_devices(now, &Devices::new([camera("/dev/video0")]));
        assert_eq!(care.poll(now), Some(Do::Tell(lost("Desk"))), "not the other one");
        assert_eq!(care.poll(now), None);
        // Back at another node.
        care.on_devices(now, &Devices::new([camera("/dev/video0"), camera("/dev/video4")]));
        assert_eq!(care.poll(now), Some(Do::Open(DeviceChoice::Exact("/dev/video4".to_owned()))));
    }
}

#[test]
fn a_camera_of_the_system_s_choice_is_replaced_and_a_working_one_is_never_left() {
    let mut desk = Desk::new(Kind::Camera, &["Desk", "Kitchen"]);
    desk.choose(DeviceChoice::Default);
    desk.fail("Desk");
    let cause = Cause::Fails("it is frozen".to_owned());
    let expect = Told::Replaced { was: "Desk".to_owned(), cause, now: "Kitchen".to_owned() };
    assert_eq!((desk.open, desk.said()), (Some("Kitchen"), vec![expect]));
    desk.broken.clear();
    desk.wait(20);
    assert_eq!((desk.open, desk.said()), (Some("Kitchen"), vec![]));
}

#[test]
fn a_frozen_device_without_another_is_said_and_tried_again() {
    let mut desk = Desk::new(Kind::Camera, &["Desk"]);
    desk.named("Desk");
    desk.fail("Desk");
    assert!(matches!(desk.said().as_slice(), [Told::Lost { cause: Cause::Fails(why), .. }] if why == "it is frozen"));
    desk.wait(30);
    assert!((25..=30).contains(&desk.tries), "each second at first: {}", desk.tries);
    desk.tries = 0;
    desk.wait(100);
    assert!((15..=25).contains(&desk.tries), "less often then: {}", desk.tries);
    desk.broken.clear();
    desk.wait(6);
    assert_eq!((desk.open, desk.said()), (Some("Desk"), vec![back("Desk")]));
}

#[test]
fn sound_follows_the_system_s_default_unless_one_was_chosen() {
    let mut desk = Desk::new(Kind::Speaker, &[BUILT_IN, HEADSET]);
    desk.choose(DeviceChoice::Default);
    desk.default = Some(HEADSET);
    desk.wait(1);
    assert_eq!((desk.open, desk.said()), (Some(HEADSET), vec![Told::Followed { now: HEADSET.to_owned() }]));
    desk.named(BUILT_IN);
    desk.wait(10);
    assert_eq!((desk.open, desk.said()), (Some(BUILT_IN), vec![]));
}

#[test]
fn a_new_default_that_does_not_open_leaves_the_one_that_works() {
    let mut desk = Desk::new(Kind::Speaker, &[BUILT_IN, HEADSET]);
    desk.choose(DeviceChoice::Default);
    (desk.default, desk.broken) = (Some(HEADSET), vec![HEADSET]);
    desk.wait(3);
    assert_eq!((desk.open, desk.said()), (Some(BUILT_IN), vec![]));
    desk.broken.clear();
    desk.wait(2);
    assert_eq!(desk.open, Some(HEADSET));
}

#[test]
fn a_stream_that_the_server_moved_away_counts_as_lost() {
    let mut desk = Desk::new(Kind::Microphone, &[BUILT_IN, HEADSET]);
    desk.named(HEADSET);
    // No error comes, only the list says it.
    desk.there = vec![BUILT_IN];
    desk.wait(1);
    assert_eq!((desk.open, desk.said()), (Some(BUILT_IN), vec![replaced(HEADSET, BUILT_IN)]));
}

#[test]
fn one_that_is_there_again_at_once_is_not_worth_a_word() {
    let mut desk = Desk::new(Kind::Speaker, &[HEADSET]);
    desk.named(HEADSET);
    desk.care.on_lost(desk.now, HEADSET, Cause::Gone);
    desk.open = None;
    desk.work();
    assert_eq!((desk.open, desk.said()), (Some(HEADSET), vec![]));
}

#[test]
fn a_system_that_does_not_answer_holds_nothing_up_for_long() {
    let mut desk = Desk::new(Kind::Speaker, &[BUILT_IN, HEADSET]);
    desk.named(HEADSET);
    desk.care.on_devices(desk.now, &desk.devices());
    desk.deaf = true;
    desk.there = vec![BUILT_IN];
    desk.care.on_lost(desk.now, HEADSET, Cause::Gone);
    desk.open = None;
    desk.work();
    assert_eq!(desk.open, None);
    desk.wait(2);
    assert_eq!((desk.open, desk.said()), (Some(BUILT_IN), vec![replaced(HEADSET, BUILT_IN)]));
}

#[test]
fn switched_on_again_what_is_there_is_opened() {
    let mut desk = Desk::new(Kind::Microphone, &[BUILT_IN, HEADSET]);
    desk.named(HEADSET);
    desk.wait(1);
    assert_eq!(desk.care.aim(desk.now), Some(DeviceChoice::Exact("id-Headset".to_owned())));
    desk.switch(false);
    desk.there = vec![BUILT_IN];
    desk.care.on_devices(desk.now, &desk.devices());
    assert_eq!(desk.care.aim(desk.now), Some(DeviceChoice::Exact("id-Built-in Audio".to_owned())));
    let mut camera = Desk::new(Kind::Camera, &["Desk", "Kitchen"]);
    camera.named("Desk");
    camera.switch(false);
    camera.there = vec!["Kitchen"];
    camera.care.on_devices(camera.now, &camera.devices());
    assert_eq!(camera.care.aim(camera.now), Some(DeviceChoice::Name("Desk".to_owned())), "no other room");
}
