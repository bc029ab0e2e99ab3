//! Drops as the meeting knows them: the transfer machine's news with the names of people, offers and answers on their
//! way to it.

use std::path::PathBuf;

use super::Reply;
use super::commands::Accept;
use super::failure::sentence;
use crate::id::{LinkKey, TransferId};
use crate::meeting::{Code, Direction, Done, Event, Failure, FileEvent, FileStage, Person, Warning, WarningCode};
use crate::mesh::drops::{self, About, CommandError, Drops, OfferError, What};
use crate::slot::Ring;
use crate::task::Scope;

/// News of a transfer, with the person's name.
pub fn event(about: About, what: What, person: Person) -> FileEvent {
    let direction = match about.direction {
        drops::Direction::In => Direction::In,
        drops::Direction::Out => Direction::Out,
    };
    let stage = match what {
        What::Offered => FileStage::Offer,
        What::Accepted => FileStage::Accepted,
        What::Declined(_) => FileStage::Declined,
        What::Progress(progress) => FileStage::Progress {
            done: progress.done,
            rate: (progress.rate > 0).then_some(progress.rate),
            eta_ms: progress.eta_ms,
        },
        What::Done { path, blake3 } => FileStage::Done { path, blake3: Some(blake3) },
        What::Failed { reason, resumable } => FileStage::Failed { reason: reason.as_str(), resumable },
    };
    FileEvent { transfer: about.transfer, person, direction, file: about.file, size: about.size, stage }
}

/// Offers one file to each of `to`. What was offered before one failed stays; the failure of the first is the answer.
pub async fn offer(
    drops: &Drops,
    path: PathBuf,
    to: Vec<(Person, LinkKey)>,
) -> Result<(Vec<(Person, TransferId)>, Vec<(Person, Failure)>), Failure> {
    let (mut offers, mut failures) = (Vec::new(), Vec::new());
    for (person, link) in to {
        match drops.offer(path.clone(), link).await {
            Ok(transfer) => offers.push((person, transfer)),
            Err(error) if offers.is_empty() => return Err(offer_failure(&error)),
            Err(error) => failures.push((person, offer_failure(&error))),
        }
    }
    Ok((offers, failures))
}

/// Offers in a task; `reply` hears the result, and what failed for some only becomes a warning each.
pub fn offer_and_answer(
    scope: &Scope,
    drops: Drops,
    events: Ring<Event>,
    path: PathBuf,
    links: Vec<(Person, LinkKey)>,
    reply: Reply,
) {
    scope.spawn(async move {
        let result = offer(&drops, path, links).await;
        let _ = reply.send(result.map(|(offers, failures)| {
            for (person, Failure { message, hint, .. }) in failures {
                let warning = Warning { code: WarningCode::Other, person: Some(person), message, hint };
                events.push(Event::Warning(warning));
            }
            Done::Offered(offers)
        }));
    });
}

/// Accepts, declines or cancels in a task; `reply` hears the result.
pub fn answer(scope: &Scope, drops: Drops, transfer: TransferId, accept: Accept, reply: Option<Reply>) {
    scope.spawn(async move {
        let result = match accept {
            Accept::Yes => drops.accept(transfer).await,
            Accept::No => drops.decline(transfer).await,
            Accept::Never => drops.cancel(transfer).await,
        };
        match reply {
            Some(reply) => {
                let _ = reply.send(result.map(|()| Done::Ok).map_err(|error| command_failure(&error)));
            }
            // The offer was withdrawn in between: its end is told by an event of its own.
            None => tracing::debug!(?result, "answered an offer by rule"),
        }
    });
}

/// Why a file was not offered.
pub fn offer_failure(error: &OfferError) -> Failure {
    let code = match error {
        OfferError::Source(_) => Code::FileUnreadable,
        OfferError::Refused(drops::Refused::NotLinked) => Code::UnknownPeer,
        OfferError::Refused(_) => Code::TooManyTransfers,
        OfferError::Ended => Code::Leaving,
    };
    words(code, &error.to_string())
}

/// Why an answer to an offer did nothing.
pub fn command_failure(error: &CommandError) -> Failure {
    let code = match error {
        CommandError::Refused(drops::Refused::Unknown) => Code::UnknownTransfer,
        CommandError::Refused(_) => Code::WrongTransferState,
        CommandError::Ended => Code::Leaving,
    };
    words(code, &error.to_string())
}

fn words(code: Code, text: &str) -> Failure {
    let (message, hint) = text.split_once("; ").unwrap_or((text, ""));
    Failure::new(code, sentence(message), sentence(hint))
}
