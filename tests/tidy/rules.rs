//! The rules as tables. Each line here is a decision; the reason stands in `ARCHITECTURE.md` or beside it.

/// Most lines of a file, its unit tests not counted.
pub const MAX_LINES: usize = 600;

/// The words that all areas share. They know one another and nothing else.
const VOCABULARY: &[&str] = &[
    "bucket",
    "clock",
    "config",
    "endpoint",
    "frame",
    "framing",
    "handover",
    "id",
    "identity",
    "invite",
    "known",
    "media",
    "platform",
    "service",
    "share",
    "sighting",
    "slot",
    "stats",
    "task",
    "telemetry",
    "tls",
];

/// What the window may use. It holds a running engine and shows its pictures, devices and findings, and never starts one or
/// looks inside; of the meeting it sees the words that its root exports ([`ITEMS`]), none of the modules that decide.
const WINDOW: &[&str] = &[
    "ui",
    "engine::Handle",
    "engine::Error",
    "engine::Service",
    "engine::SocketError",
    "engine::devices",
    "engine::doctor",
    "engine::pictures",
    "engine::preview",
    "meeting::{..}",
    "av::spec",
];

/// At the end of an entry: the items of that module's root, no module below it.
const ITEMS: &str = "::{..}";

/// Who may use what. The longest prefix of a file's path decides. An entry without `::` allows the whole module.
const AREAS: &[(&str, &str, &[&str])] = &[
    ("src/mesh/", "mesh", &["mesh"]),
    // av moves frames and packets, never addresses.
    ("src/av/", "av", &["av"]),
    ("src/rendezvous/", "rendezvous", &["rendezvous"]),
    // `av::spec` is words that people type.
    ("src/meeting/", "meeting", &["meeting", "av::spec"]),
    ("src/engine/", "engine", &["engine", "mesh", "av", "rendezvous", "meeting"]),
    ("src/ui/", "ui", WINDOW),
    ("src/cli/", "cli", &["cli", "engine", "meeting", "ui::text", "av::spec"]),
    // It starts the window.
    ("src/cli/window.rs", "cli", &["cli", "engine", "meeting", "ui", "av::spec"]),
    ("src/fuzz.rs", "fuzz", &["mesh", "av", "rendezvous", "meeting"]),
    ("src/lib.rs", "lib", &[]),
    ("src/main.rs", "main", &["cli"]),
    ("src/", "vocabulary", &[]),
];

/// Vocabulary that some areas must not touch.
const NOT_FOR: &[(&str, &[&str])] = &[
    ("av", &["endpoint", "identity", "sighting", "tls", "known", "framing"]),
    ("mesh", &["frame"]),
    ("meeting", &["endpoint", "frame", "tls", "slot"]),
    ("ui", &["endpoint", "framing", "tls"]),
];

/// (file, path after `crate::`, why). One line an exception, each with its reason.
pub const EXCEPTIONS: &[(&str, &str, &str)] = &[
    ("src/cli/rendezvous.rs", "rendezvous", "the service is a program of its own, with no engine"),
    ("src/cli/name.rs", "rendezvous", "a question to a service, asked without a meeting"),
    ("src/cli/nearby.rs", "mesh::discovery", "a look around takes no seat, so it needs no engine"),
    ("src/cli/join/mod.rs", "mesh::Visibility", "the word of --hidden"),
    ("src/cli/window.rs", "mesh::Visibility", "the word of --hidden"),
];

/// The area of a file under `src/`, and the modules it may use.
pub fn area(path: &str) -> Option<(&'static str, Vec<&'static str>)> {
    let (_, area, own) = AREAS.iter().filter(|(prefix, ..)| path.starts_with(prefix)).max_by_key(|(p, ..)| p.len())?;
    let without = NOT_FOR.iter().find(|(name, _)| name == area).map_or(&[][..], |(_, words)| *words);
    let words = VOCABULARY.iter().filter(|word| !without.contains(word));
    Some((area, words.chain(own.iter()).copied().collect()))
}

/// True when `entry`, one of an area's, allows `import`, a path after `crate::`.
pub fn allows(entry: &str, import: &str) -> bool {
    if let Some(module) = entry.strip_suffix(ITEMS) {
        let inside = import.strip_prefix(module).and_then(|rest| rest.strip_prefix("::"));
        // Types begin with a capital; the root's functions would need a line of their own.
        return inside.is_some_and(|item| item.starts_with(|first: char| first.is_uppercase()));
    }
    import.strip_prefix(entry).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Files that decide everything and do nothing, by the map of `ARCHITECTURE.md`.
const PURE: &[&str] = &[
    "src/bucket.rs",
    "src/mesh/wire.rs",
    "src/mesh/handshake.rs",
    "src/mesh/candidates.rs",
    "src/mesh/dialer.rs",
    "src/mesh/roster.rs",
    "src/mesh/roster/*",
    "src/mesh/discovery/txt.rs",
    "src/mesh/discovery/dns.rs",
    "src/mesh/discovery/responder.rs",
    "src/mesh/sendqueue.rs",
    "src/mesh/bandwidth.rs",
    "src/mesh/allocate.rs",
    "src/mesh/report.rs",
    "src/mesh/estimate/*",
    "src/mesh/transfer/*",
    "src/meeting/*",
    "src/ui/model/*",
    "src/ui/alerts.rs",
    "src/engine/care.rs",
    "src/av/packet/*",
    "src/av/repair/*",
    "src/av/jitter/*",
    "src/av/process/pace.rs",
    "src/av/capture/screen/pace.rs",
    "src/av/capture/frozen.rs",
    "src/av/devices/relief.rs",
    "src/av/publish/budget.rs",
    "src/av/publish/redundancy.rs",
    "src/av/publish/repeat.rs",
    "src/av/publish/silence.rs",
    "src/av/sync.rs",
    "src/av/meter.rs",
    "src/av/process/voice/align.rs",
    "src/av/process/voice/howl.rs",
    "src/av/process/voice/spectrum.rs",
    "src/av/spec/voice.rs",
    "src/cli/bench/model.rs",
    "src/cli/bench/figures.rs",
    "src/cli/bench/case.rs",
    "src/rendezvous/wire.rs",
    "src/rendezvous/registry.rs",
    "src/rendezvous/lease.rs",
    "src/rendezvous/limit.rs",
    "src/rendezvous/record.rs",
    "src/rendezvous/errands.rs",
    "src/service.rs",
    "src/invite.rs",
];

/// True for files that must be marked `//! Sans-IO.`.
pub fn must_be_pure(path: &str) -> bool {
    PURE.iter().any(|pattern| matches(pattern, path))
}

/// What a pure file may not name.
pub const IMPURE: &[&str] = &[
    "tokio",
    "quinn",
    "socket2",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "std::fs",
    "std::thread",
    "thread::spawn",
    "std::process",
    "clock::now",
    "clock::host_micros",
    "clock::unix_micros",
    "clock::unix_millis",
    "Instant::now",
    "SystemTime",
    "rand::random",
    "rand::rng",
    "thread_rng",
    "OsRng",
    "SystemRandom",
    "::draw()",
    "async",
    "await",
    "Mutex",
    "RwLock",
];

/// (library, files that may name it).
pub const WRAPPERS: &[(&str, &[&str])] = &[
    (
        "quinn",
        &[
            "src/endpoint.rs",
            "src/endpoint/socket.rs",
            "src/mesh/mesh.rs",
            "src/mesh/link.rs",
            "src/mesh/link/*",
            "src/mesh/mesh/*",
            "src/mesh/congestion.rs",
            "src/rendezvous/client/connection.rs",
            "src/rendezvous/server.rs",
        ],
    ),
    ("quinn_proto", &["src/mesh/congestion.rs"]),
    ("rustls", &["src/tls.rs", "src/endpoint.rs", "src/identity.rs"]),
    ("webpki", &["src/tls.rs"]),
    ("ring", &["src/identity.rs", "src/tls.rs"]),
    ("rcgen", &["src/identity.rs"]),
    ("socket2", &["src/endpoint/socket.rs", "src/mesh/discovery/local.rs", "src/cli/bench/link.rs"]),
    ("mdns_sd", &["src/mesh/discovery/mdns.rs"]),
    ("ciborium", &["src/framing.rs"]),
    ("rusqlite", &["src/rendezvous/store/*"]),
    ("openh264_sys2", &["src/av/codec/h264.rs"]),
    ("opusic_sys", &["src/av/codec/opus.rs"]),
    ("yuv", &["src/av/process/*"]),
    ("rubato", &["src/av/process/*"]),
    ("hound", &["src/av/capture/*", "src/av/playback/*"]),
    ("nokhwa", &["src/av/capture/device.rs"]),
    ("cpal", &["src/av/devices/sound.rs", "src/av/devices/sound/offer.rs"]),
    ("pulseaudio", &["src/av/capture/screen/programs.rs"]),
    ("rtrb", &["src/av/capture/microphone.rs", "src/av/capture/screen/programs.rs", "src/av/playback/device.rs"]),
    ("x11rb", &["src/av/capture/screen/x11.rs", "src/av/capture/screen/x11/*"]),
    ("ashpd", &["src/av/capture/screen/portal.rs"]),
    ("futures_util", &["src/av/capture/screen/portal.rs"]),
    ("pipewire", &["src/av/capture/screen/cast.rs"]),
    ("sonora", &["src/av/process/voice/chain.rs"]),
    ("nnnoiseless", &["src/av/process/voice/chain.rs"]),
    ("zune_core", &["src/av/process/layout.rs"]),
    ("zune_jpeg", &["src/av/process/layout.rs"]),
    ("clap", &["src/cli/*"]),
    (
        "serde_json",
        &["src/cli/*", "src/config.rs", "src/fuzz.rs", "src/ui/choices.rs", "src/ui/map.rs", "src/ui/model/traffic.rs"],
    ),
    // The window's root may name iced; the one that starts engines for it needs its futures.
    ("iced", &["src/ui/*", "src/cli/window.rs"]),
    ("iced_wgpu", &["src/ui/widget/tile.rs"]),
    ("jiff", &["src/ui/when.rs"]),
    ("lucide_icons", &["src/ui/icon.rs", "src/ui/theme.rs"]),
    ("rfd", &["src/ui/session/desktop.rs"]),
    ("notify_rust", &["src/ui/session/desktop.rs"]),
    ("arboard", &["src/ui/session/desktop.rs"]),
    ("tracing_subscriber", &["src/telemetry.rs"]),
    ("directories", &["src/platform.rs"]),
];

/// Where the platform may be named.
pub const PLATFORM_FILES: &[&str] = &[
    "src/platform.rs",
    // The host's monotonic clock.
    "src/clock.rs",
    // File modes of the key and of the profile.
    "src/identity.rs",
    "src/config.rs",
    // The descriptor of the desktop's PipeWire.
    "src/av/capture/screen/cast.rs",
    "src/av/capture/screen/portal.rs",
    // The sound server's socket.
    "src/av/capture/screen/programs.rs",
    // Socket buffers and interfaces.
    "src/endpoint/socket.rs",
    // A port shared with other responders.
    "src/mesh/discovery/local.rs",
    // A local socket with a mode, and none elsewhere.
    "src/handover.rs",
    "src/handover/*",
    // Screens are read on Linux; memory of the X server comes as a file descriptor.
    "src/av/capture/screen/mod.rs",
    "src/av/capture/screen/x11/grab.rs",
    // How a desktop knows and reads a notification.
    "src/ui/session/desktop.rs",
    // SIGTERM.
    "src/cli/mod.rs",
];

/// What names the platform.
pub const PLATFORM_SIGNS: &[&str] =
    &["target_os", "cfg(unix", "cfg(windows", "cfg(not(unix", "cfg(target_family", "libc::", "nix::", "std::os::"];

/// The files in the faces that may name a frame: none. Tiles have the pictures of `engine::pictures`, which never leave
/// their slots.
pub const FRAME_FILES: &[&str] = &[];

/// (package, library): dependencies whose code is called by another name.
pub const CALLED: &[(&str, &str)] = &[("rustls_webpki", "webpki")];

/// Every path that a table above names, with the table's name.
pub fn named() -> Vec<(&'static str, &'static str)> {
    let list =
        |table: &'static str, paths: &[&'static str]| paths.iter().map(|path| (table, *path)).collect::<Vec<_>>();
    let areas: Vec<&str> = AREAS.iter().map(|(prefix, ..)| *prefix).collect();
    let wrappers: Vec<&str> = WRAPPERS.iter().flat_map(|(_, files)| files.iter().copied()).collect();
    let exceptions: Vec<&str> = EXCEPTIONS.iter().map(|(file, ..)| *file).collect();
    [
        list("AREAS", &areas),
        list("EXCEPTIONS", &exceptions),
        list("PURE", PURE),
        list("WRAPPERS", &wrappers),
        list("PLATFORM_FILES", PLATFORM_FILES),
        list("FRAME_FILES", FRAME_FILES),
    ]
    .concat()
}

/// True when `path` is `pattern`, or lies in the folder that `pattern` names with `/*`.
pub fn matches(pattern: &str, path: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(folder) => path.starts_with(folder),
        None => pattern == path,
    }
}
