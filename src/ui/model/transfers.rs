//! Sans-IO. Files on their way and files that came, the newest last.

use std::path::{Path, PathBuf};

use crate::id::{PeerId, TransferId};
use crate::meeting::{Direction, FileEvent, FileStage, Person};

/// Transfers kept; beyond it the oldest that ended is forgotten.
pub const MOST: usize = 500;

/// One transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Transfer {
    /// Which.
    pub id: TransferId,
    /// Counts up: the order in which they were heard of, and a name in lists.
    pub number: u64,
    /// Where it lies here, if it is ours.
    pub source: Option<PathBuf>,
    /// The other side.
    pub person: Person,
    /// Which way.
    pub direction: Direction,
    /// The file's name, safe to show.
    pub file: String,
    /// Bytes.
    pub size: u64,
    /// Bytes so far.
    pub done: u64,
    /// Bytes a second.
    pub rate: Option<u64>,
    /// Milliseconds left.
    pub eta_ms: Option<u64>,
    /// The last thing that happened.
    pub stage: FileStage,
}

impl Transfer {
    /// 0 to 1.
    pub fn part(&self) -> f32 {
        if self.size == 0 {
            return if matches!(self.stage, FileStage::Done { .. }) { 1.0 } else { 0.0 };
        }
        let thousandths = u128::from(self.done.min(self.size)) * 1000 / u128::from(self.size);
        f32::from(u16::try_from(thousandths).unwrap_or(1000)) / 1000.0
    }

    /// It waits for our answer.
    pub fn asks(&self) -> bool {
        self.direction == Direction::In && self.stage == FileStage::Offer
    }

    /// It has ended.
    pub fn is_over(&self) -> bool {
        self.stage.is_end()
    }

    /// Where it lies.
    pub fn path(&self) -> Option<&PathBuf> {
        match &self.stage {
            FileStage::Done { path, .. } => Some(path),
            _ => None,
        }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub struct Transfers {
    // At most MOST that ended, and what runs.
    all: Vec<Transfer>,
    next: u64,
    // Of transfers that were not heard of yet. At most MOST.
    sources: Vec<(TransferId, PathBuf)>,
}

impl Transfers {
    /// The oldest first.
    pub fn all(&self) -> &[Transfer] {
        &self.all
    }

    /// The newest of them that is this one: of somebody, and sent by us or by them.
    pub fn get(&self, id: TransferId, peer: PeerId, mine: bool) -> Option<&Transfer> {
        let of = |transfer: &&Transfer| transfer.person.peer == peer && (transfer.direction == Direction::Out) == mine;
        self.all.iter().rev().filter(|transfer| transfer.id == id).find(of)
    }

    /// How many wait for our answer.
    pub fn asking(&self) -> usize {
        self.all.iter().filter(|transfer| transfer.asks()).count()
    }

    /// News of one.
    pub fn on_event(&mut self, file: &FileEvent) {
        // An id is drawn by its sender: both sides and the direction belong to it. One that is offered again is another.
        let this = |transfer: &Transfer| {
            (transfer.id, transfer.person.peer, transfer.direction) == (file.transfer, file.person.peer, file.direction)
        };
        let anew = |transfer: &Transfer| file.stage == FileStage::Offer && transfer.is_over();
        let at = self.all.iter().rposition(this).filter(|at| !anew(&self.all[*at]));
        let at = at.unwrap_or_else(|| {
            if self.all.len() >= MOST
                && let Some(old) = self.all.iter().position(Transfer::is_over)
            {
                self.all.remove(old);
            }
            self.next += 1;
            let source = self.sources.iter().position(|(id, _)| *id == file.transfer);
            self.all.push(Transfer {
                id: file.transfer,
                number: self.next,
                source: source.map(|at| self.sources.swap_remove(at).1),
                person: file.person.clone(),
                direction: file.direction,
                file: file.file.as_str().to_owned(),
                size: file.size,
                done: 0,
                rate: None,
                eta_ms: None,
                stage: file.stage.clone(),
            });
            self.all.len() - 1
        });
        let transfer = &mut self.all[at];
        transfer.size = file.size;
        match file.stage {
            FileStage::Progress { done, rate, eta_ms } => {
                (transfer.done, transfer.rate, transfer.eta_ms) = (done, rate, eta_ms);
            }
            FileStage::Done { .. } => (transfer.done, transfer.rate, transfer.eta_ms) = (file.size, None, None),
            _ => (transfer.rate, transfer.eta_ms) = (None, None),
        }
        transfer.stage = file.stage.clone();
    }

    /// This file was offered by these: so it can be sent again.
    pub fn on_offered(&mut self, path: &Path, ids: impl IntoIterator<Item = TransferId>) {
        for id in ids {
            match self.all.iter_mut().rev().find(|transfer| transfer.id == id) {
                Some(transfer) => transfer.source = Some(path.to_owned()),
                None if self.sources.len() < MOST => self.sources.push((id, path.to_owned())),
                None => {}
            }
        }
    }

    /// Some are on their way.
    pub fn run(&self) -> bool {
        self.all.iter().any(|transfer| !transfer.is_over())
    }

    /// How many have ended.
    pub fn ended(&self) -> usize {
        self.all.iter().filter(|transfer| transfer.is_over()).count()
    }

    /// The engine that carried them has ended: what ran is over.
    pub fn on_engine_ended(&mut self) {
        for transfer in self.all.iter_mut().filter(|transfer| !transfer.is_over()) {
            transfer.stage = FileStage::Failed { reason: "moved", resumable: false };
        }
    }

    /// Forgets those that ended.
    pub fn clear_ended(&mut self) {
        self.all.retain(|transfer| !transfer.is_over());
    }
}
