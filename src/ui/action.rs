//! What a screen, panel or dialog asks of its parent. A screen changes its own state and returns an [`Action`]; the root
//! (`app`) performs it: it alone talks to the engine, the disk and the desktop.

use std::net::SocketAddr;
use std::path::PathBuf;

use iced::widget::Id;

use super::choices::Choices;
use super::dialog::Dialog;
use super::model::Model;
use super::toast::Toast;
use crate::id::{PeerId, RoomName};
use crate::invite::Invite;
use crate::meeting::Command;

/// One or several things to be done.
#[derive(Debug)]
pub enum Action {
    /// Nothing.
    None,
    /// Carry out one command; its answer comes to the root, which tells failures by a toast.
    Engine(Command),
    /// Go into a meeting (leaving the one we are in).
    Meet(Meet),
    /// Back to the lobby.
    Leave,
    /// Show a dialog over everything.
    Open(Box<Dialog>),
    /// Close the dialog on top.
    Close,
    /// Open the settings, or close them.
    Settings(bool),
    /// Open the settings where devices are chosen.
    Devices,
    /// Something was chosen: keep it, write it down, apply it.
    Choose(Box<Choices>),
    /// Let the person pick files, then offer them to these (WHO; none is everybody present).
    PickFiles(Vec<String>),
    /// Offer these files to these.
    SendFiles(Vec<PathBuf>, Vec<String>),
    /// Look what is on the clipboard; the meeting's screen gets it by `on_pasted`.
    Paste,
    /// Let the person pick the folder where drops land.
    PickFolder,
    /// Show this file or folder in the desktop's file manager.
    Reveal(PathBuf),
    /// To the clipboard, with a word about it.
    Copy(String, &'static str),
    /// Save this text as a file that the person names; the suggestion is the second.
    Save(String, String),
    /// Show this panel of the meeting.
    ShowPanel(super::choices::Panel),
    /// A word in the corner.
    Toast(Toast),
    /// Put the keyboard's focus on this.
    Focus(Id),
    /// Scroll this to its end.
    ScrollToEnd(Id),
    /// The preview of the lobby: the camera and the microphone's meter, on or off.
    Preview {
        /// Show one's picture.
        camera: bool,
        /// Move the meter.
        microphone: bool,
    },
    /// Play the test sound on the chosen speaker; where it plays, end it.
    TestSound,
    /// Record the chosen microphone for three seconds and play it on the chosen speaker; where that runs, end it.
    RecordSound,
    /// Look at the network; the findings go into the model.
    Check,
    /// The same and the devices, in a dialog.
    Doctor,
    /// Start the lobby again, after it did not.
    Again,
    /// Another name, in the engine and in the profile.
    Rename(String),
    /// Ring this person (WHO, name).
    Call(String, String),
    /// Ask the system which devices there are.
    ListDevices,
    /// Ask the system which displays and windows can be shared.
    ListScreens,
    /// Ask the system which network interfaces there are.
    ListInterfaces,
    /// Work out the words of one's own key; the settings get them.
    OwnWords,
    /// All of these, begun in this order: commands reach the engine in it. What takes its time goes on beside the rest.
    Many(Vec<Action>),
}

/// Which meeting, and how it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meet {
    /// The room.
    pub room: RoomName,
    /// Where somebody of it is, as far as that is known.
    pub connect: Vec<(SocketAddr, Option<PeerId>)>,
    /// The link that leads there: its inviter must answer before anything else happens.
    pub invite: Option<Invite>,
    /// With the camera on.
    pub camera: bool,
    /// With the microphone on.
    pub microphone: bool,
    /// A call with this person: nobody else is to find the room, and its name says nothing.
    pub call: Option<String>,
}

impl Action {
    /// Both, one after the other.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::None, other) => other,
            (this, Self::None) => this,
            (Self::Many(mut all), other) => {
                all.push(other);
                Self::Many(all)
            }
            (this, other) => Self::Many(vec![this, other]),
        }
    }
}

/// Most addresses that a meeting in sight is tried at: the first to answer tells of all others.
const MOST_TRIED: usize = 32;

/// How `room` is gone into, with the addresses of those in sight who are in it.
pub fn meet_nearby(room: RoomName, model: &Model, choices: &Choices) -> Meet {
    let inside = model.nearby.meetings.iter().filter(|meeting| meeting.room.id() == room.id());
    let connect = inside.flat_map(|meeting| &meeting.addresses).take(MOST_TRIED);
    Meet {
        connect: connect.map(|(address, peer)| (*address, Some(*peer))).collect(),
        room,
        invite: None,
        camera: choices.camera_on,
        microphone: choices.starts_heard(),
        call: None,
    }
}
