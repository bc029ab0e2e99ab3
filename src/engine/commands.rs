//! Commands carried out: at once where that takes no time, else in a task whose result answers later.

use std::path::PathBuf;

use super::actor::{Actor, Later};
use super::sources::Switch;
use super::{Reply, files};
use crate::clock;
use crate::id::{LinkKey, TransferId, Username};
use crate::invite::Invite;
use crate::meeting::{Answer, Code, Command, Done, Failure, Person, Setting, Work};
use crate::service::Service;

/// What is said to an offer or a transfer.
#[derive(Debug, Clone, Copy)]
pub enum Accept {
    Yes,
    No,
    Never,
}

/// What a command means for the loop.
#[derive(PartialEq)]
pub enum Ends {
    Now,
    Later,
}

impl Actor {
    /// Accepts, declines or cancels in a task; `reply` hears the result.
    pub(super) fn answer_offer(&self, transfer: TransferId, accept: Accept, reply: Option<Reply>) {
        files::answer(&self.parts.services, self.parts.drops.clone(), transfer, accept, reply);
    }

    /// Carries out a command, after asking the rendezvous about usernames in it that nobody here is known by.
    pub(super) fn on_command(&mut self, command: Command, reply: Reply) -> Ends {
        let unknown = usernames(&command);
        match &self.parts.introduced {
            Some(introduced) if !unknown.is_empty() => {
                let (handle, sender) = (introduced.handle.clone(), self.later.0.clone());
                self.parts.services.spawn(async move {
                    let mut found = Vec::new();
                    for name in unknown {
                        if let Ok(owner) = handle.lookup(&name).await {
                            found.push((owner.peer, name, owner.addresses()));
                        }
                    }
                    let _ = sender.send(Later::LookedUp(found, command, reply)).await;
                });
                Ends::Later
            }
            _ => self.carry_out(command, reply),
        }
    }

    pub(super) fn carry_out(&mut self, command: Command, reply: Reply) -> Ends {
        let answer = self.meeting.on_command(clock::now(), clock::unix_millis(), command);
        match answer {
            Ok(Answer::Done(done)) => drop(reply.send(Ok(done))),
            Ok(Answer::Work(work @ (Work::Claim(_) | Work::Release(_)))) => self.name(work, reply),
            Ok(Answer::Work(Work::Offer { path, to })) => self.offer(path, to, reply),
            Ok(Answer::Work(Work::Accept { transfer, .. })) => self.answer_offer(transfer, Accept::Yes, Some(reply)),
            Ok(Answer::Work(Work::Decline { transfer, .. })) => self.answer_offer(transfer, Accept::No, Some(reply)),
            Ok(Answer::Work(Work::Cancel { transfer, .. })) => self.answer_offer(transfer, Accept::Never, Some(reply)),
            Ok(Answer::Work(Work::Invite)) => drop(reply.send(Ok(Done::Invited(self.invite())))),
            Ok(Answer::Work(Work::Decide(edit))) => self.decide(edit, reply),
            Ok(Answer::Work(Work::Words(peer))) => self.tell_words(peer, reply),
            Ok(Answer::Work(Work::Answer(call))) => drop(self.answering.insert(call, reply)),
            Ok(Answer::Work(Work::Camera { on, source })) => {
                self.switch(Switch::Camera { on, source }, Some(reply));
            }
            Ok(Answer::Work(Work::Microphone { on, source })) => {
                self.switch(Switch::Microphone { on, source }, Some(reply));
            }
            Ok(Answer::Work(Work::Screen { on, source })) => {
                self.switch(Switch::Screen { on, source }, Some(reply));
            }
            Ok(Answer::Work(Work::Speaker { on, sink })) => self.switch(Switch::Speaker { on, sink }, Some(reply)),
            Ok(Answer::Work(Work::Leave)) => {
                let _ = reply.send(Ok(Done::Ok));
                return Ends::Now;
            }
            Ok(Answer::Work(work)) => {
                let result = tokio::task::block_in_place(|| self.work(work));
                let _ = reply.send(result);
            }
            Err(failure) => drop(reply.send(Err(failure))),
        }
        Ends::Later
    }

    fn work(&mut self, work: Work) -> Result<Done, Failure> {
        match work {
            Work::Quality(quality) => {
                let camera = self.parts.media.set_quality(quality);
                self.meeting.on_setting(Setting::Quality(quality));
                self.publish_tracks();
                if let Some(source) = camera {
                    self.switch(Switch::Camera { on: true, source: Some(source) }, None);
                }
            }
            Work::ScreenAudio(audio) => {
                self.parts.media.set_screen_audio(audio);
                self.meeting.on_setting(Setting::ScreenAudio(audio));
                self.publish_tracks();
            }
            Work::Voice(wish) => {
                self.parts.media.set_voice(wish);
                self.meeting.on_setting(Setting::Voice(wish));
            }
            Work::Volume { peer, value } => {
                self.choose_volume(peer, value);
            }
            Work::Rename(name) => {
                self.parts.config.name = name.clone();
                self.parts.mesh.rename(name);
                self.announce();
            }
            // Answered by `carry_out`, since they take time.
            Work::Camera { .. } | Work::Microphone { .. } | Work::Speaker { .. } | Work::Screen { .. } => {}
            Work::Answer(_) | Work::Claim(_) | Work::Release(_) | Work::Invite | Work::Leave => {}
            Work::Offer { .. } | Work::Decide(_) | Work::Words(_) => {}
            Work::Accept { .. } | Work::Decline { .. } | Work::Cancel { .. } => {}
        }
        Ok(Done::Ok)
    }

    /// An invitation to this room: where we are, as far as others can use it.
    fn invite(&self) -> Invite {
        let config = &self.parts.config;
        let addresses = self.parts.endpoint.listen_addresses();
        // Typed without a fingerprint, a service has the one that answered.
        let service = config.rendezvous.as_ref().map(|(service, _)| {
            let answered = self.parts.introduced.as_ref().and_then(|introduced| introduced.handle.service());
            Service { fingerprint: service.fingerprint.or(answered), ..service.clone() }
        });
        Invite::new(config.room.clone(), config.identity.peer_id(), &addresses, service)
    }

    fn offer(&self, path: PathBuf, to: Vec<Person>, reply: Reply) {
        let links: Vec<(Person, LinkKey)> =
            to.into_iter().filter_map(|person| Some((person.clone(), self.seated.get(&person.peer)?.0))).collect();
        if links.is_empty() {
            let hint = "Try again when they are back.";
            let _ = reply.send(Err(Failure::new(Code::UnknownPeer, "Nobody of them is here now.", hint)));
            return;
        }
        let (drops, events) = (self.parts.drops.clone(), self.parts.events.clone());
        files::offer_and_answer(&self.parts.services, drops, events, path, links, reply);
    }

    fn name(&self, work: Work, reply: Reply) {
        let handle = self.parts.introduced.as_ref().map(|introduced| introduced.handle.clone());
        let sender = self.later.0.clone();
        self.parts.services.spawn(async move {
            let result = super::introduce::name(handle, work).await;
            let _ = sender.send(Later::Named(result, reply)).await;
        });
    }
}

/// The `@usernames` among the people that a command names.
pub(super) fn usernames(command: &Command) -> Vec<Username> {
    let who: Vec<&String> = match command {
        Command::Say { to, .. } | Command::SendFile { to, .. } => to.iter().collect(),
        Command::View { peer, .. } | Command::Volume { peer, .. } => vec![peer],
        Command::Call { who } => vec![who],
        Command::Words { peer } | Command::Verify { peer } | Command::TrustChanged { peer } => vec![peer],
        _ => Vec::new(),
    };
    who.into_iter().filter(|who| who.starts_with('@')).filter_map(|who| Username::new(who).ok()).take(16).collect()
}
