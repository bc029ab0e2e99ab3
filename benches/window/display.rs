//! A display of its own whose pixels are in a file, and what a program on it costs.

use std::fs::File;
use std::io::{BufRead, BufReader, Error, Read, Result, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lets_meet::clock::now;

/// A running program that is ended with this.
#[derive(Debug)]
pub struct Kept(pub Child);

impl Drop for Kept {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An X server without a screen.
#[derive(Debug)]
pub struct Display {
    name: String,
    folder: tempfile::TempDir,
    _server: Kept,
}

impl Display {
    /// Of 1280x800 pixels.
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let server = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "1280x800x24", "-nolisten", "tcp", "-fbdir"])
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Kept(server);
        let mut number = String::new();
        BufReader::new(server.0.stdout.take().ok_or_else(|| Error::other("no pipe"))?).read_line(&mut number)?;
        Ok(Self { name: format!(":{}", number.trim()), folder, _server: server })
    }

    /// A folder that goes with it.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a program here.
    pub fn start(&self, command: &mut Command) -> Result<Kept> {
        let command = command.env("DISPLAY", &self.name).env_remove("WAYLAND_DISPLAY").stdin(Stdio::null());
        command.stdout(Stdio::null()).spawn().map(Kept)
    }

    /// Presses the mouse.
    pub fn click(&self, x: f64, y: f64) -> Result<()> {
        let (x, y) = (format!("{x:.0}"), format!("{y:.0}"));
        let mut tool = self.start(Command::new("xdotool").args(["mousemove", &x, &y, "click", "1"]))?;
        tool.0.wait().map(drop)
    }

    /// What it shows.
    pub fn screen(&self) -> Result<Screen> {
        let (path, since) = (self.folder.path().join("Xvfb_screen0"), now());
        let mut file = loop {
            match File::open(&path) {
                Ok(file) => break file,
                Err(error) if since.elapsed() > Duration::from_secs(5) => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        };
        let mut head = [0; 100];
        file.read_exact(&mut head)?;
        let word = |index: usize| u64::from(u32::from_be_bytes(head.as_chunks::<4>().0[index]));
        // Header size, bytes a line, colours of the colour map.
        Ok(Screen { pixels: word(0) + word(19) * 12, stride: word(12), file })
    }
}

/// The pixels, in the format of xwd.
#[derive(Debug)]
pub struct Screen {
    file: File,
    pixels: u64,
    stride: u64,
}

impl Screen {
    /// Blue, green, red and nothing of a row of pixels.
    pub fn row(&mut self, x: usize, y: usize, into: &mut [[u8; 4]]) -> Result<()> {
        self.file.seek(SeekFrom::Start(self.pixels + y as u64 * self.stride + x as u64 * 4))?;
        self.file.read_exact(into.as_flattened_mut())
    }
}

/// Processor time of a program so far, seconds.
pub fn cpu_seconds(child: &Child) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    // After the name in brackets: user and system time are the 12th and 13th, in hundredths of a second.
    let ticks = stat.rsplit(')').next().unwrap_or_default().split_whitespace().skip(11).take(2);
    Ok(ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0)
}

/// Cores that a program uses during `time`.
pub fn cores(child: &Child, time: Duration) -> Result<f64> {
    let (since, before) = (now(), cpu_seconds(child)?);
    std::thread::sleep(time);
    Ok((cpu_seconds(child)? - before) / since.elapsed().as_secs_f64())
}

/// Memory that a program holds, megabytes.
pub fn resident_mb(child: &Child) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok());
    kilobytes.map(|kb| kb * 1024.0 / 1e6).ok_or_else(|| Error::other("no VmRSS"))
}
