//! Sans-IO. What the lobby decides: before and between meetings a person can be called and call, send and take files,
//! and see who is there. The same commands as in a meeting, as far as they make sense without one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::framing::Message;
use crate::id::{Instance, LinkKey, PeerId, Username};
use crate::known::trust::Trust;
use crate::share::DisplayName;

use super::Output;
use super::calls::{self, Calls, Heard};
use super::command::{Answer, Command, Done, Work};
use super::commands::{display_name, username};
use super::event::{Event, FileEvent, Person, Warning};
use super::failure::{Code, Failure, WarningCode};
use super::nearby::Sight;
use super::shares::{Shares, Verb, Verdict};
use super::state::{Settings, State};
use super::wire::{self, MAX_PEOPLE};

/// Between two warnings about what others send.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// The lobby, as the person in it sees it.
#[derive(Debug)]
pub struct Lobby {
    instance: Instance,
    username: Option<Username>,
    shares: Shares,
    calls: Calls,
    settings: Settings,
    // By code: what it is about would let keys that cost nothing fill it.
    warned: BTreeMap<WarningCode, Instant>,
    // Bounded by what one input can cause; drained after each.
    out: VecDeque<Output>,
}

impl Lobby {
    /// Enters the lobby. From `seed`, which nobody else may know, the rooms of calls are drawn.
    pub fn new(me: LinkKey, settings: Settings, seed: [u8; 32]) -> Self {
        Self {
            instance: me.instance,
            username: None,
            shares: Shares::new(settings.files),
            calls: Calls::new(me.peer, settings.calls, seed),
            settings,
            warned: BTreeMap::new(),
            out: VecDeque::new(),
        }
    }

    /// A face wishes something. `sight` says who is there, `wall_ms` is the Unix time.
    pub fn on_command(
        &mut self,
        now: Instant,
        wall_ms: u64,
        sight: &mut Sight,
        command: Command,
    ) -> Result<Answer, Failure> {
        if let Some(answer) = sight.trust_command(wall_ms, &command) {
            return answer;
        }
        match command {
            Command::SendFile { path, to } => Ok(Answer::Work(Work::Offer { path, to: recipients(sight, &to)? })),
            Command::AcceptFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Accept)?;
                Ok(Answer::Work(Work::Accept { peer, transfer }))
            }
            Command::DeclineFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Decline)?;
                Ok(Answer::Work(Work::Decline { peer, transfer }))
            }
            Command::CancelFile(transfer) => {
                let peer = self.shares.find(transfer, Verb::Cancel)?;
                Ok(Answer::Work(Work::Cancel { peer, transfer }))
            }
            Command::Call { .. } | Command::Answer(_) | Command::Decline(_) => {
                let result = self.call_command(now, sight, &command);
                self.drain_calls();
                result
            }
            Command::Privacy { files, silence_unknown } => {
                (self.settings.files, self.settings.calls.silence_unknown) = (files, silence_unknown);
                self.shares.set_rule(files);
                self.calls.silence_unknown(silence_unknown);
                Ok(Answer::Done(Done::Ok))
            }
            // Answered above.
            Command::Words { .. }
            | Command::Verify { .. }
            | Command::Forget { .. }
            | Command::TrustChanged { .. }
            | Command::KnownPeople => Err(Failure::new(Code::Internal, "This command was not understood.", "")),
            Command::Rename(name) => {
                let name: DisplayName = display_name(&name)?;
                sight.rename_me(name.clone());
                Ok(Answer::Work(Work::Rename(name)))
            }
            Command::Claim(name) => Ok(Answer::Work(Work::Claim(username(&name)?))),
            Command::Release(name) => Ok(Answer::Work(Work::Release(username(&name)?))),
            Command::State => Ok(Answer::Done(Done::State(Box::new(self.state(sight))))),
            Command::Leave => Ok(Answer::Work(Work::Leave)),
            Command::Say { .. }
            | Command::Camera { .. }
            | Command::Microphone { .. }
            | Command::Speaker { .. }
            | Command::Screen { .. }
            | Command::ScreenAudio(_)
            | Command::Quality(_)
            | Command::Voice { .. }
            | Command::Hand { .. }
            | Command::React { .. }
            | Command::Invite
            | Command::View { .. }
            | Command::Volume { .. } => {
                let message = format!("'{}' makes sense in a meeting only.", command.name());
                Err(Failure::new(Code::NotInMeeting, message, "Join or start a meeting first."))
            }
        }
    }

    fn call_command(&mut self, now: Instant, sight: &Sight, command: &Command) -> Result<Answer, Failure> {
        match command {
            Command::Call { who } => {
                let place = self.calls.fresh_place();
                self.calls.call(now, sight, place, who).map(|call| Answer::Done(Done::Calling(call)))
            }
            Command::Answer(call) => self.calls.answer(now, sight, *call).map(|()| Answer::Work(Work::Answer(*call))),
            Command::Decline(call) => self.calls.decline(now, sight, *call).map(|()| Answer::Done(Done::Ok)),
            _ => Err(Failure::new(Code::Internal, "This is no command about calls.", "")),
        }
    }

    /// Somebody is linked. `rings`: its hello says that it takes calls.
    pub fn on_linked(&mut self, now: Instant, sight: &Sight, key: LinkKey, rings: bool) {
        self.calls.on_linked(now, sight, key, rings);
        self.drain_calls();
    }

    /// A link is gone.
    pub fn on_unlinked(&mut self, now: Instant, sight: &Sight, key: LinkKey) {
        self.calls.on_unlinked(now, sight, key);
        self.drain_calls();
    }

    /// A message that is not about files came.
    pub fn on_message(&mut self, now: Instant, sight: &Sight, from: LinkKey, message: &Message) {
        // Anything else belongs into a meeting.
        if !wire::CALL_KINDS.contains(&message.kind) {
            return;
        }
        let (code, text) = match self.calls.on_message(now, sight, None, from, message) {
            Heard::Fine => return self.drain_calls(),
            Heard::Malformed(error) => {
                (WarningCode::BadInput, format!("A message that cannot be read was dropped: {error}."))
            }
            Heard::Flood => {
                (WarningCode::Flood, "Somebody rings more often than one may; that is not heard.".to_owned())
            }
        };
        // One warning a while, whoever it is.
        if self.warned.get(&code).is_none_or(|at| now.saturating_duration_since(*at) >= WARN_AGAIN) {
            self.warned.insert(code, now);
            let (person, hint) = (Some(sight.person(from.peer)), String::new());
            self.out.push_back(Output::Event(Event::Warning(Warning { code, person, message: text, hint })));
        }
    }

    /// A deadline passed. A late or needless call does no harm.
    pub fn on_timeout(&mut self, now: Instant, sight: &Sight) {
        self.calls.on_timeout(now, sight);
        self.drain_calls();
    }

    /// When `on_timeout` wants to be called.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.calls.poll_timeout()
    }

    fn drain_calls(&mut self) {
        while let Some(out) = self.calls.poll_output() {
            match out {
                calls::Out::Release(key) if self.shares.runs_with(key.peer) => {}
                out => self.out.push_back(out.into()),
            }
        }
    }

    /// A rendezvous confirmed our own username, or we lost it.
    pub fn on_own_username(&mut self, username: Option<Username>) {
        self.username = username;
    }

    /// News of a transfer. `trust`: how far the key at its other end is trusted.
    pub fn on_file(&mut self, event: FileEvent, trust: Trust) {
        let (peer, transfer) = (event.person.peer, event.transfer);
        let verdict = self.shares.on_file(&event, trust);
        self.out.push_back(Output::Event(Event::File(event)));
        match verdict {
            Verdict::Accept => self.out.push_back(Output::AcceptFile { peer, transfer }),
            Verdict::Decline => self.out.push_back(Output::DeclineFile { peer, transfer }),
            Verdict::Wait => {}
        }
    }

    /// What is to be done, one at a time; drain until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Everything as data, the answer to [`Command::State`]: nobody sits here.
    pub fn state(&self, sight: &Sight) -> State {
        State {
            me: sight.me().clone(),
            instance: self.instance,
            username: self.username.clone(),
            room: None,
            people: Vec::new(),
            hands: Vec::new(),
            tracks: Vec::new(),
            transfers: self.shares.list(),
            settings: self.settings.clone(),
        }
    }
}

// Everybody whom a file is for, all or nobody.
fn recipients(sight: &Sight, to: &[String]) -> Result<Vec<Person>, Failure> {
    if to.is_empty() {
        return Err(Failure::new(Code::UnknownPeer, "In the lobby a file needs a recipient.", "Say who gets it."));
    }
    let mut peers: BTreeSet<PeerId> = BTreeSet::new();
    for who in to {
        peers.extend(sight.resolve_all(who)?.into_iter().map(|person| person.peer));
    }
    for peer in &peers {
        sight.allows(*peer)?;
    }
    if peers.len() > MAX_PEOPLE {
        let message = format!("That is more than {MAX_PEOPLE} people.");
        return Err(Failure::new(Code::TooManyRecipients, message, "Choose fewer."));
    }
    Ok(peers.into_iter().map(|peer| sight.person(peer)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::names::Names;
    use crate::known::trust::Book;
    use crate::sighting::{Sighting, Source};

    fn name(text: &str) -> DisplayName {
        DisplayName::new(text)
    }

    fn table() -> (Instant, Sight, Lobby) {
        let me = Person { peer: PeerId::from_bytes([1; 32]), name: name("Ann") };
        let mut sight = Sight::new(me, Names::new(), Book::new());
        sight.on_sighting(Sighting {
            peer: Some(PeerId::from_bytes([2; 32])),
            instance: Some(Instance::from_u64(2)),
            name: Some(name("Bob")),
            addresses: vec![([127, 0, 0, 1], 1).into()],
            rooms: Vec::new(),
            source: Source::Mdns,
            gone: false,
        });
        let me = LinkKey { peer: PeerId::from_bytes([1; 32]), instance: Instance::from_u64(1) };
        (crate::clock::now(), sight, Lobby::new(me, Settings::default(), [1; 32]))
    }

    #[test]
    fn what_needs_a_meeting_says_so() {
        let (now, mut sight, mut lobby) = table();
        let say = Command::Say { text: "hi".into(), to: Vec::new() };
        let failure = lobby.on_command(now, 1, &mut sight, say).expect_err("nobody hears");
        assert_eq!(failure.code, Code::NotInMeeting);
    }

    #[test]
    fn files_go_to_people_in_sight_only() {
        let (now, mut sight, mut lobby) = table();
        let mut send = |to: &[&str]| {
            let to = to.iter().map(|who| (*who).to_owned()).collect();
            lobby.on_command(now, 1, &mut sight, Command::SendFile { path: "a".into(), to })
        };
        assert!(matches!(send(&["bob"]), Ok(Answer::Work(Work::Offer { to, .. })) if to.len() == 1));
        for (who, code) in [(&[][..], Code::UnknownPeer), (&["Cid"], Code::UnknownPeer), (&["ann"], Code::Oneself)] {
            assert_eq!(send(who).map_err(|failure| failure.code), Err(code), "{who:?}");
        }
    }

    #[test]
    fn state_has_no_room() {
        let (now, mut sight, mut lobby) = table();
        lobby.on_command(now, 1, &mut sight, Command::Rename("Ann B".into())).expect("renamed");
        let state = lobby.state(&sight);
        assert_eq!((state.room, state.me.name.as_str()), (None, "Ann B"));
    }
}
