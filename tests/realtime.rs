//! The callbacks of microphones and speakers, run without hardware under an allocator that watches: they neither allocate
//! nor free, whatever the device brings or asks for, whoever reads or writes at the other end, and however full the ring is.
//!
//! Why they do not lock or wait either: what they touch besides their own samples is a ring with one writer and one reader
//! (`rtrb`, whose ends are one atomic number each) and the atomics of `Pulse`; the clock that they read is mapped into the
//! process. A test binary has one allocator, so this stands alone.

#![cfg(feature = "devices")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use lets_meet::av::capture::microphone;
use lets_meet::av::devices::sound::{Drain, Feed, Pulse};
use lets_meet::av::playback::device;
use lets_meet::task;

thread_local! {
    /// This thread is inside a callback.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    /// How often it asked for memory, or gave it back, there.
    static TOUCHED: Cell<u32> = const { Cell::new(0) };
}

/// The system's allocator, with a count.
struct Watching;

#[global_allocator]
static WATCHING: Watching = Watching;

fn touch() {
    // A thread that ends has no counts any more.
    let _ = INSIDE.try_with(|inside| {
        if inside.get() {
            let _ = TOUCHED.try_with(|touched| touched.set(touched.get() + 1));
        }
    });
}

#[expect(unsafe_code, reason = "an allocator is unsafe to write; this one passes everything on")]
// SAFETY: every call is the system allocator's own, with the same arguments.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        touch();
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Runs one callback; gives how often it touched the memory.
fn inside(callback: impl FnOnce()) -> u32 {
    TOUCHED.set(0);
    INSIDE.set(true);
    callback();
    INSIDE.set(false);
    TOUCHED.get()
}

/// Lumps as devices have them: usual, odd, none, and far more than a ring holds.
const LUMPS: [usize; 7] = [480, 441, 682, 1, 0, 2048, 96_000];

#[test]
fn the_watch_sees_what_is_allocated_and_freed() {
    assert!(inside(|| drop(std::hint::black_box(vec![0u8; 100]))) >= 2);
    assert_eq!(inside(|| ()), 0);
}

#[test]
fn a_microphone_s_callback_touches_no_memory() {
    let over = Arc::new(AtomicBool::new(false));
    let (input, mut reader) = microphone::ring(48_000);
    let ended = Arc::clone(&over);
    // Another end that reads at once, so that the ring is full now and then and empty now and then.
    let reading = task::thread("reader", move || {
        let mut read = 0usize;
        loop {
            let last = ended.load(Ordering::Relaxed);
            if let Ok(chunk) = reader.read_chunk(reader.slots()) {
                read += chunk.len();
                chunk.commit_all();
            }
            if last {
                return read;
            }
        }
    });
    let mut feed = Feed::new(input, Arc::<Pulse>::default(), 2, 44_100);
    let (floats, shorts, longs) = (vec![0.25f32; 192_000], vec![1000i16; 192_000], vec![1_000_000i32; 192_000]);
    for _ in 0..50 {
        for lump in LUMPS {
            assert_eq!(inside(|| feed.on_data(&floats[..lump * 2])), 0, "{lump} floats");
            assert_eq!(inside(|| feed.on_data(&shorts[..lump * 2])), 0, "{lump} shorts");
            assert_eq!(inside(|| feed.on_data(&longs[..lump * 2])), 0, "{lump} longs");
        }
    }
    over.store(true, Ordering::Relaxed);
    assert!(reading.expect("a thread").join().expect("no panic") >= 48_000, "sound came through");
}

#[test]
fn a_speaker_s_callback_touches_no_memory() {
    let over = Arc::new(AtomicBool::new(false));
    let (mut writer, output) = device::ring(48_000);
    while writer.push(0.5).is_ok() {}
    let ended = Arc::clone(&over);
    let writing = task::thread("writer", move || {
        while !ended.load(Ordering::Relaxed) {
            let _ = writer.push(0.5);
        }
    });
    let pulse = Arc::<Pulse>::default();
    let mut drain = Drain::new(output, Arc::clone(&pulse), 6, 48_000);
    let (mut floats, mut shorts, mut longs) = (vec![0.0f32; 576_000], vec![0i16; 576_000], vec![0i32; 576_000]);
    let mut heard = false;
    for _ in 0..20 {
        for lump in LUMPS {
            assert_eq!(inside(|| drain.on_data(&mut floats[..lump * 6])), 0, "{lump} floats");
            heard |= floats.contains(&0.5);
            assert_eq!(inside(|| drain.on_data(&mut shorts[..lump * 6])), 0, "{lump} shorts");
            assert_eq!(inside(|| drain.on_data(&mut longs[..lump * 6])), 0, "{lump} longs");
        }
    }
    over.store(true, Ordering::Relaxed);
    writing.expect("a thread").join().expect("no panic");
    assert_eq!(inside(|| drain.on_data(&mut floats)), 0, "more than there is");
    assert!(heard && pulse.missed() > 0, "both full and dry");
}

#[test]
fn an_end_that_went_away_is_no_reason_to_touch_memory() {
    let (input, reader) = microphone::ring(48_000);
    drop(reader);
    let mut feed = Feed::new(input, Arc::<Pulse>::default(), 1, 48_000);
    let (writer, output) = device::ring(48_000);
    drop(writer);
    let mut drain = Drain::new(output, Arc::<Pulse>::default(), 2, 48_000);
    let mut played = [1.0f32; 960];
    for _ in 0..300 {
        assert_eq!(inside(|| feed.on_data(&[0.1f32; 480])), 0);
        assert_eq!(inside(|| drain.on_data(&mut played)), 0);
    }
    assert!(played.iter().all(|sample| *sample == 0.0), "silence");
}
