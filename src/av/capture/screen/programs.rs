//! What other programs play, as a source of sound, by the library pulseaudio: the only file that names it. PulseAudio's
//! protocol, which PipeWire speaks too.
//!
//! A sound server mixes all programs for a speaker, our own voices among them, and what is in a mix cannot be taken out of
//! it again. So the mix is not recorded, but each other program's stream by itself, before the mix, and added up here: the
//! call is never in it, whatever it plays and however loud. Streams come and go, which is looked at ten times a second.
//!
//! Two connections: one asks for the list, the other brings the sound, each stream by a callback into a ring of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use pulseaudio::protocol::stream::{BufferAttr, StreamFlags};
use pulseaudio::protocol::{
    AuthParams, AuthReply, ChannelMap, ClientInfo, Command, CommandReply, MAX_VERSION, Prop, Props, RecordStreamParams,
    SampleFormat, SampleSpec, SetClientNameReply, SinkInputInfo, read_reply_message, write_command_message,
};
use pulseaudio::{Client, RecordStream};

use crate::av::Error;
use crate::av::capture::microphone::Queue;
use crate::av::capture::sound::Sound;
use crate::av::devices::Fate;
use crate::av::devices::worker::{Stop, Worker};
use crate::av::guard::watch;
use crate::frame::{FRAME_SAMPLES, SAMPLE_RATE};
use crate::platform;

/// How we are called in the desktop's list of what records.
const NAME: &std::ffi::CStr = c"Lets Meet (shared sound)";
/// Between two looks at which programs play.
const LOOK: Duration = Duration::from_millis(100);
/// How long the server may take to answer.
const ANSWER: Duration = Duration::from_secs(3);
/// A server that went away is looked for so often, [`AGAIN`] apart.
const TRIES: u32 = 20;
/// Between two of these looks.
const AGAIN: Duration = Duration::from_millis(500);
/// Most streams that are recorded at once.
const MOST_STREAMS: usize = 32;
/// What a callback brings: 20 ms, in bytes.
const FRAGMENT: u32 = 960 * 4;
/// What waits between callback and reader: half a second. Overflow: what is new is lost.
const RING: usize = 24_000;

/// A stream of a program: its own number and that of the speaker it goes to. Moved to another speaker it is another one.
type Stream = (u32, u32);

/// What the thread tells the reader.
enum News {
    Begun(Stream, rtrb::Consumer<f32>, Arc<AtomicUsize>),
    Over(Stream),
}

/// One stream on its way.
struct Tap {
    ring: rtrb::Consumer<f32>,
    /// Most samples that a callback brought.
    lump: Arc<AtomicUsize>,
    queue: Queue,
}

/// What all other programs play together, mono.
pub struct Programs {
    news: Receiver<News>,
    taps: BTreeMap<Stream, Tap>,
    fate: Fate,
    _worker: Worker,
}

impl Programs {
    /// Begins. That there is no server that can do it is told by [`Sound::fate`].
    pub fn open() -> Result<Self, Error> {
        let fate = Fate::default();
        // Overflow: a stream that cannot be told is closed, and tried again with the next look.
        let (tell, news) = sync_channel(2 * MOST_STREAMS);
        let told = fate.clone();
        let worker = Worker::start("programs", move |stop| {
            watch("the sound of other programs", &told, || follow(stop, &tell));
        })?;
        Ok(Self { news, taps: BTreeMap::new(), fate, _worker: worker })
    }
}

impl Sound for Programs {
    fn read(&mut self, _wall: u64, out: &mut [f32; FRAME_SAMPLES]) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::Begun(stream, ring, lump) => {
                    self.taps.insert(stream, Tap { ring, lump, queue: Queue::default() });
                }
                News::Over(stream) => drop(self.taps.remove(&stream)),
            }
        }
        out.fill(0.0);
        let mut part = [0.0; FRAME_SAMPLES];
        for tap in self.taps.values_mut() {
            if let Ok(chunk) = tap.ring.read_chunk(tap.ring.slots()) {
                let (first, second) = chunk.as_slices();
                tap.queue.extend(first);
                tap.queue.extend(second);
                chunk.commit_all();
            }
            tap.queue.take(tap.lump.load(Ordering::Relaxed), 0, &mut part);
            for (sum, sample) in out.iter_mut().zip(part) {
                *sum += sample;
            }
        }
        for sample in out {
            *sample = sample.clamp(-1.0, 1.0);
        }
    }

    fn delay(&self) -> u64 {
        let most = self.taps.values().map(|tap| tap.queue.waits() + tap.lump.load(Ordering::Relaxed) / 2).max();
        u64::try_from(most.unwrap_or(0)).unwrap_or(0) * 125 / 6
    }

    fn fate(&self) -> Option<Fate> {
        Some(self.fate.clone())
    }
}

/// What is known of a stream that a program plays.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Playing {
    stream: Stream,
    /// The connection that it belongs to; none for the server's own.
    client: Option<u32>,
    /// It only hands on what others play: an equaliser, a loop.
    hands_on: bool,
}

/// Which streams are to be heard: not ours (`own` is our process id), and nothing twice. `owners` are the process ids that
/// the connections stated.
fn others(playing: &[Playing], owners: &BTreeMap<u32, Option<u32>>, own: u32) -> BTreeSet<Stream> {
    let of_programs = playing.iter().filter(|playing| {
        let owner = playing.client.and_then(|client| owners.get(&client));
        !playing.hands_on && owner.is_some_and(|process| *process != Some(own))
    });
    of_programs.map(|playing| playing.stream).take(MOST_STREAMS).collect()
}

fn none(reason: &str) -> Error {
    Error::NoScreenAudio { reason: reason.to_owned() }
}

/// Follows the programs until it is to stop. A server that goes away is waited for.
fn follow(stop: &Stop, tell: &SyncSender<News>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let runtime = runtime.map_err(|error| none(&error.to_string()))?;
    let mut tries = 0;
    loop {
        let mut taps = BTreeMap::new();
        let result = record(stop, tell, &runtime, &mut taps, &mut tries);
        for stream in taps.into_keys() {
            let _ = tell.try_send(News::Over(stream));
        }
        let Err(error) = result else { return Ok(()) };
        // Zero: it never worked.
        if tries == 0 || tries > TRIES {
            return Err(error);
        }
        tries += 1;
        if stop.wait(AGAIN) {
            return Ok(());
        }
    }
}

/// Records over one pair of connections. `tries` is 1 as soon as it works.
fn record(
    stop: &Stop,
    tell: &SyncSender<News>,
    runtime: &tokio::runtime::Runtime,
    taps: &mut BTreeMap<Stream, RecordStream>,
    tries: &mut u32,
) -> Result<(), Error> {
    platform::make_sound_cookie();
    let mut list = List::connect()?;
    let client = Client::from_env(NAME).map_err(|error| none(&error.to_string()))?;
    loop {
        let wanted = list.others()?;
        *tries = 1;
        taps.retain(|stream, _| {
            let stays = wanted.contains(stream);
            if !stays {
                let _ = tell.try_send(News::Over(*stream));
            }
            stays
        });
        for stream in wanted {
            if taps.contains_key(&stream) {
                continue;
            }
            let (params, lump) = (recorded(stream), Arc::<AtomicUsize>::default());
            let (mut to, ring) = rtrb::RingBuffer::new(RING);
            let largest = Arc::clone(&lump);
            let on_data = move |bytes: &[u8]| {
                let (samples, _) = bytes.as_chunks::<4>();
                largest.fetch_max(samples.len(), Ordering::Relaxed);
                for sample in samples {
                    let _ = to.push(f32::from_le_bytes(*sample));
                }
            };
            let created = async { tokio::time::timeout(ANSWER, client.create_record_stream(params, on_data)).await };
            match runtime.block_on(created) {
                Ok(Ok(tap)) => {
                    if tell.try_send(News::Begun(stream, ring, lump)).is_ok() {
                        taps.insert(stream, tap);
                    }
                }
                // It may be over by now.
                Ok(Err(error)) => tracing::debug!(%error, "a program is not recorded"),
                Err(_) => return Err(none("the sound server does not answer")),
            }
        }
        if stop.wait(LOOK) {
            return Ok(());
        }
    }
}

/// How a stream is asked for: as the program plays it and as loud as its person has set it, in mono, before the speaker.
fn recorded((input, _): Stream) -> RecordStreamParams {
    RecordStreamParams {
        sample_spec: SampleSpec { format: SampleFormat::Float32Le, channels: 1, sample_rate: SAMPLE_RATE },
        channel_map: ChannelMap::mono(),
        buffer_attr: BufferAttr { max_length: u32::MAX, fragment_size: FRAGMENT, ..Default::default() },
        flags: StreamFlags { adjust_latency: true, no_move: true, ..Default::default() },
        direct_on_input_index: Some(input),
        ..Default::default()
    }
}

/// The connection that asks what plays.
struct List {
    socket: BufReader<UnixStream>,
    version: u16,
    sequence: u32,
}

impl List {
    fn connect() -> Result<Self, Error> {
        let missing = || none("there is no sound server that speaks PulseAudio's protocol");
        let path = pulseaudio::socket_path_from_env().ok_or_else(missing)?;
        let socket = UnixStream::connect(path).map_err(|_| missing())?;
        let limited = socket.set_read_timeout(Some(ANSWER)).and_then(|()| socket.set_write_timeout(Some(ANSWER)));
        limited.map_err(|error| none(&error.to_string()))?;
        let cookie = pulseaudio::cookie_path_from_env().and_then(|path| std::fs::read(path).ok()).unwrap_or_default();
        let mut list = Self { socket: BufReader::new(socket), version: MAX_VERSION, sequence: 0 };
        let auth = AuthParams { version: MAX_VERSION, supports_shm: false, supports_memfd: false, cookie };
        let reply: AuthReply = list.ask(&Command::Auth(auth))?;
        list.version = reply.version.min(MAX_VERSION);
        let mut props = Props::new();
        props.set(Prop::ApplicationName, NAME);
        let _: SetClientNameReply = list.ask(&Command::SetClientName(props))?;
        Ok(list)
    }

    fn ask<R: CommandReply>(&mut self, command: &Command) -> Result<R, Error> {
        let failed = |error: pulseaudio::protocol::ProtocolError| {
            tracing::debug!(%error, "the sound server");
            none("the sound server does not answer")
        };
        self.sequence = self.sequence.wrapping_add(1);
        write_command_message(self.socket.get_mut(), self.sequence, command, self.version).map_err(failed)?;
        let (_, reply) = read_reply_message(&mut self.socket, self.version).map_err(failed)?;
        Ok(reply)
    }

    /// The streams of other programs.
    fn others(&mut self) -> Result<BTreeSet<Stream>, Error> {
        let playing: Vec<SinkInputInfo> = self.ask(&Command::GetSinkInputInfoList)?;
        let clients: Vec<ClientInfo> = self.ask(&Command::GetClientInfoList)?;
        let playing: Vec<Playing> = playing
            .iter()
            .map(|input| Playing {
                stream: (input.index, input.sink_index),
                client: input.client_index,
                // PipeWire's name for both ends of what sound passes through.
                hands_on: input.props.get_bytes(c"node.link-group").is_some(),
            })
            .collect();
        let owners = clients.iter().map(|client| (client.index, process(&client.props))).collect();
        Ok(others(&playing, &owners, std::process::id()))
    }
}

/// The process that a connection says it belongs to.
fn process(props: &Props) -> Option<u32> {
    let bytes = props.get(Prop::ApplicationProcessId)?;
    std::str::from_utf8(bytes).ok()?.trim_end_matches('\0').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_programs_are_heard_and_neither_we_nor_anything_twice() {
        let playing = |input, client, hands_on| Playing { stream: (input, 7), client, hands_on };
        let owners = BTreeMap::from([(1, Some(100)), (2, Some(200)), (3, None)]);
        let check = |playing: &[Playing], expect: &[u32]| {
            let expect: BTreeSet<Stream> = expect.iter().map(|input| (*input, 7)).collect();
            assert_eq!(others(playing, &owners, 100), expect, "{playing:?}");
        };
        check(&[], &[]);
        check(&[playing(10, Some(1), false), playing(11, Some(2), false), playing(12, Some(3), false)], &[11, 12]);
        // The server's own streams and filters hand on what others, or we, play.
        check(&[playing(10, None, false), playing(11, Some(2), true)], &[]);
        // One of which nothing is known may be ours.
        check(&[playing(10, Some(9), false)], &[]);
        let many: Vec<Playing> = (0..100).map(|input| playing(input, Some(2), false)).collect();
        assert_eq!(others(&many, &owners, 100).len(), MOST_STREAMS);
    }

    #[test]
    fn the_process_of_a_connection_is_read_as_servers_write_it() {
        let mut props = Props::new();
        assert_eq!(process(&props), None);
        props.set(Prop::ApplicationProcessId, c"4711");
        assert_eq!(process(&props), Some(4711));
        props.set(Prop::ApplicationProcessId, c"me");
        assert_eq!(process(&props), None);
    }
}
