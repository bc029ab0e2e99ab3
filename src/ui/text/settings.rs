//! Sans-IO. The words of the settings.

/// Sections.
pub const PROFILE: &str = "Profile";
/// Sections.
pub const DEVICES: &str = "Devices";
/// Sections.
pub const VOICE: &str = "Voice";
/// Sections.
pub const VIDEO: &str = "Video quality";
/// Sections.
pub const NETWORK: &str = "Network";
/// Sections.
pub const PRIVACY: &str = "Privacy";
/// Sections.
pub const APPEARANCE: &str = "Appearance";
/// Sections.
pub const KEYS: &str = "Keys and people";

/// The field of one's name.
pub const NAME: &str = "Your name";
/// What the name is.
pub const NAME_WHY: &str =
    "Others see it beside your key. Two people may have the same name; their keys never are the same.";
/// The name at a rendezvous.
pub const USERNAME: &str = "Your username";
/// What it is for.
pub const USERNAME_WHY: &str =
    "Nobody else at this rendezvous can have it: whoever knows it can call you as @username from any network.";
/// Without a service there is none.
pub const USERNAME_NEEDS: &str = "A username is kept by a rendezvous, and you have set none.";
/// Opens the page where one is set.
pub const SET_RENDEZVOUS: &str = "Set a rendezvous";
/// In the empty field.
pub const USERNAME_FIELD: &str = "2 to 32 letters or digits";
/// Asks for it.
pub const CLAIM: &str = "Claim";
/// Gives it up.
pub const RELEASE: &str = "Give it back";
/// The service was asked.
pub const ASKING: &str = "Asking the rendezvous…";
/// What to do when it does not answer.
pub const SERVICE_HOW: &str = "Try again later, or check it under Network.";
/// Keeps the name.
pub const KEEP_NAME: &str = "Keep this name";

/// The camera.
pub const CAMERA: &str = "Camera";
/// The microphone.
pub const MICROPHONE: &str = "Microphone";
/// The speaker.
pub const SPEAKER: &str = "Speaker";
/// Plays the test sound.
pub const TEST_SOUND: &str = "Play a test sound";
/// The list is on its way.
pub const LOOKING: &str = "Looking for devices …";
/// When devices count.
pub const DEVICES_WHEN: &str = "In a meeting a change takes effect at once.";
/// Meetings start so.
pub const START_CAMERA: &str = "Start meetings with the camera on";
/// Meetings start so.
pub const START_MICROPHONE: &str = "Start meetings with the microphone on";
/// Push-to-talk.
pub const PUSH_TO_TALK: &str = "Push-to-talk: the microphone is on while you hold Space";

/// Nothing is done to the microphone.
pub const ORIGINAL: &str = "Original sound, for music: my microphone as it is";
/// What that costs.
pub const ORIGINAL_WHY: &str = "Use headphones with it, or others hear themselves from your speakers.";
/// The echo of the speaker.
pub const ECHO: &str = "Remove the echo of my speakers";
/// What else it does.
pub const ECHO_WHY: &str = "It also stops howling between two machines in one room.";
/// How much noise goes.
pub const NOISE: &str = "Noise around me";
/// What the three do.
pub const NOISE_WHY: &str = "Standard removes what is steady, such as a fan. Strong also removes keys and clatter, and a little of a voice's colour.";
/// The gain.
pub const GAIN: &str = "Keep my voice at an even loudness";

/// A choice of noise suppression.
pub const fn noise(noise: crate::av::spec::voice::Noise) -> &'static str {
    use crate::av::spec::voice::Noise;
    match noise {
        Noise::Off => "Leave it",
        Noise::Standard => "Standard",
        Noise::Strong => "Strong",
    }
}

/// What the quality caps.
pub const QUALITY_WHY: &str =
    "The most that your camera sends. Auto sends what the camera gives; less helps a slow machine or a narrow network.";
/// How much each person is sent at most.
pub const MOST_VIDEO: &str = "Most that your picture may send to each person";
/// No limit but the size of the picture.
pub const NO_LIMIT: &str = "As the picture needs";
/// When that counts.
pub const MOST_VIDEO_WHEN: &str = "For a slow or a paid network. It counts from the next meeting on.";
/// The rendezvous.
pub const RENDEZVOUS: &str = "Rendezvous (optional)";
/// An example.
pub const RENDEZVOUS_EXAMPLE: &str = "host or host:port#fingerprint";
/// What it is for.
pub const RENDEZVOUS_WHY: &str = "A small service for people on different networks: it introduces you and keeps usernames. Without one, \
                                  nothing leaves your own network but what you send to an address or a link.";
/// What is wrong with it.
pub const RENDEZVOUS_WRONG: &str = "Write it as host, host:port or host:port#fingerprint.";
/// The port.
pub const PORT: &str = "UDP port";
/// The usual one.
pub const PORT_USUAL: &str = "48190, or the next free one";
/// What is wrong with it.
pub const PORT_WRONG: &str = "A port is a number from 1 to 65535; leave it empty for the usual one.";
/// The interfaces.
pub const INTERFACES: &str = "Network interfaces";
/// What choosing some does.
pub const INTERFACES_WHY: &str = "Choose some to use them alone: then nobody is found or reached over the others.";
/// They are being asked for.
pub const INTERFACES_COMING: &str = "Looking for interfaces…";
/// All of them.
pub const ALL_INTERFACES: &str = "All of them";
/// Applies what was typed.
pub const APPLY: &str = "Apply";
/// When it takes effect.
pub const NETWORK_WHEN: &str = "Changes take effect in the lobby at once, and in the next meeting.";
/// Looks at the network.
pub const DOCTOR: &str = "Check network and devices";

/// Others find us.
pub const ANNOUNCE: &str = "People on this network can see me";
/// What that shows.
pub const ANNOUNCE_WHY: &str =
    "Your name and the meetings you are in are announced on the local network. Without it you can still join and call.";
/// Unknown callers.
pub const SILENCE: &str = "Do not ring for people I have never met";
/// Desktop notifications.
pub const NOTIFICATIONS: &str = "Notify me of calls, messages and files while the window is not in front";
/// Where files land.
pub const RECEIVED_FILES: &str = "Received files";
/// The usual folder.
pub const DOWNLOADS: &str = "Your Downloads folder";
/// Chooses another.
pub const CHOOSE: &str = "Choose";
/// What happens to offered files.
pub const FILES_ASK: &str = "You are asked before any file is received.";
/// Of what a running meeting does not take up.
pub const FROM_NEXT: &str =
    "You are in a meeting: whether you are seen and where files land changes from the next one on.";
/// Some files need no question.
pub const ACCEPT_VERIFIED: &str = "Receive files of people I have verified without asking";
/// What happens to the files of others then.
pub const FILES_ASK_OTHERS: &str = "For everybody else's files you are asked first.";

/// The theme.
pub const THEME: &str = "Theme";
/// As the system.
pub const THEME_SYSTEM: &str = "As the system";
/// Dark.
pub const THEME_DARK: &str = "Dark";
/// Light.
pub const THEME_LIGHT: &str = "Light";
/// High contrast.
pub const THEME_CONTRAST: &str = "High contrast";
/// The size of text.
pub const TEXT_SIZE: &str = "Text size";
/// Less motion.
pub const REDUCED_MOTION: &str = "Reduced motion";

/// One's own fingerprint.
pub const OWN_KEY: &str = "Your key";
/// What it is.
pub const OWN_KEY_WHY: &str =
    "It stays the same when your name or address changes. Somebody who has it knows that it is you.";
/// One's own words.
pub const OWN_WORDS: &str = "Your words";
/// What they are.
pub const OWN_WORDS_WHY: &str = "A short form of your key, to recognise it by. To verify somebody, compare the words that you two see of each other.";
/// To the clipboard.
pub const COPY: &str = "Copy";
/// It was copied.
pub const COPIED: &str = "Copied.";
/// Those who were met.
pub const KNOWN_PEOPLE: &str = "People you have met";
/// Nobody yet.
pub const NOBODY_KNOWN: &str = "Nobody yet. Whoever you meet is remembered by their key.";
/// Forgets somebody.
pub const FORGET: &str = "Forget";
/// The words were compared.
pub const VERIFIED: &str = "verified";
/// The words were not compared.
pub const NOT_VERIFIED: &str = "words not compared";
/// Another key than the verified one under this name.
pub const CHANGED: &str = "another key than the one you verified";

/// A username that the rendezvous confirmed.
pub fn is_yours(name: &str) -> String {
    format!("{name} is yours.")
}

/// A username that was given up.
pub fn given_back(name: &str) -> String {
    format!("{name} is given back. Anybody may claim it now.")
}

/// A username that cannot be had.
pub fn taken(name: &str) -> String {
    format!("{name} is taken by somebody else: choose another.")
}

/// A username that was ours.
pub fn taken_since(name: &str) -> String {
    format!("The username {name} belongs to somebody else now. Choose another one under Settings, Profile.")
}

/// An interface with one of its addresses.
pub fn interface(name: &str, address: Option<std::net::IpAddr>) -> String {
    address.map_or_else(|| name.to_owned(), |address| format!("{name} ({address})"))
}

/// An interface that was chosen and is not up.
pub fn interface_gone(name: &str) -> String {
    format!("{name} (not there now)")
}
