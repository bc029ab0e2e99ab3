//! How far transfers are, for a person: a line a quarter, not a line an event.

use std::collections::BTreeMap;

use crate::id::TransferId;
use crate::meeting::{FileEvent, FileStage};

/// The last quarter told of each transfer that is under way.
#[derive(Debug, Default)]
pub struct Quarters(BTreeMap<TransferId, u64>);

impl Quarters {
    /// Takes in what happened to a transfer; gives the percentage when it has passed a quarter that was not told yet.
    pub fn on_file(&mut self, event: &FileEvent) -> Option<u64> {
        match event.stage {
            FileStage::Progress { done, .. } => {
                let quarter = done.saturating_mul(4).checked_div(event.size).unwrap_or(0);
                let told = self.0.get(&event.transfer).copied().unwrap_or(0);
                if quarter <= told || quarter >= 4 {
                    return None;
                }
                self.0.insert(event.transfer, quarter);
                Some(quarter * 25)
            }
            FileStage::Declined | FileStage::Done { .. } | FileStage::Failed { .. } => {
                self.0.remove(&event.transfer);
                None
            }
            FileStage::Offer | FileStage::Accepted => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::PeerId;
    use crate::meeting::{Direction, Person};
    use crate::share::{DisplayName, FileName};

    #[test]
    fn each_quarter_is_told_once_and_an_ended_transfer_is_forgotten() {
        let mut quarters = Quarters::default();
        let mut event = FileEvent {
            transfer: TransferId::from_u64(1),
            person: Person { peer: PeerId::from_bytes([1; 32]), name: DisplayName::new("Bo") },
            direction: Direction::In,
            file: FileName::new("a"),
            size: 100,
            stage: FileStage::Offer,
        };
        let mut at = |done| {
            event.stage = FileStage::Progress { done, rate: None, eta_ms: None };
            quarters.on_file(&event)
        };
        assert_eq!([at(10), at(30), at(40), at(90), at(100)], [None, Some(25), None, Some(75), None]);
        event.stage = FileStage::Failed { reason: "cancelled", resumable: false };
        assert_eq!(quarters.on_file(&event), None);
        assert!(quarters.0.is_empty());
    }
}
