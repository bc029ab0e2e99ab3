//! Which of iced's renderers draws the window: a GPU, or the processor alone (tiny-skia). Must be known before iced
//! starts, because iced takes a software Vulkan driver for a GPU, and that one is slow.
//!
//! iced reads its choice from the environment, which a running program cannot change safely; so the program starts
//! itself again in its place, with the choice made. Nothing is loaded to find out that there is no GPU: the system says so.

use iced::wgpu;

use crate::platform;

/// What iced reads.
const ICED: &str = "ICED_BACKEND";
/// What a person or a test says: `gpu` or `software`.
const OURS: &str = "LETS_MEET_RENDERER";

/// What draws the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// wgpu.
    Gpu,
    /// tiny-skia.
    Software,
}

impl Backend {
    const fn iced(self) -> &'static str {
        match self {
            Self::Gpu => "wgpu",
            Self::Software => "tiny-skia",
        }
    }
}

/// Chooses, and starts the program again where iced would choose otherwise. Call it first, before any thread runs.
pub fn choose() {
    #[expect(clippy::disallowed_methods, reason = "iced's own word and that of tests are in the environment")]
    let [iced, ours] = [ICED, OURS].map(|name| std::env::var(name).ok());
    // Said by somebody, or by ourselves before we started again.
    if iced.is_some() {
        return;
    }
    let decision = decide(ours.as_deref(), gpu);
    tracing::debug!(?decision, "the window's renderer");
    let Decision::Say(backend) = decision else { return };
    let error = platform::start_again(ICED, backend.iced());
    // iced's own choice shows a window too.
    tracing::warn!(%error, "the window's renderer cannot be chosen");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// iced finds the GPU by itself.
    Iced,
    Say(Backend),
}

fn decide(ours: Option<&str>, gpu: impl FnOnce() -> Gpu) -> Decision {
    match ours {
        Some("gpu") => Decision::Say(Backend::Gpu),
        Some("software") => Decision::Say(Backend::Software),
        _ => match gpu() {
            Gpu::There => Decision::Iced,
            Gpu::Missing => Decision::Say(Backend::Software),
        },
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gpu {
    There,
    Missing,
}

fn gpu() -> Gpu {
    if !platform::may_have_gpu() {
        return Gpu::Missing;
    }
    // Drivers are loaded here; they stay in the system's memory for iced's own look.
    let instance = wgpu::Instance::new(&wgpu::InstanceDescriptor::default());
    let real = |adapter: &wgpu::Adapter| adapter.get_info().device_type != wgpu::DeviceType::Cpu;
    if instance.enumerate_adapters(wgpu::Backends::all()).iter().any(real) { Gpu::There } else { Gpu::Missing }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_wins_and_no_gpu_means_software() {
        let never = || -> Gpu { panic!("drivers are not loaded when somebody has chosen") };
        assert_eq!(decide(Some("gpu"), never), Decision::Say(Backend::Gpu));
        assert_eq!(decide(Some("software"), never), Decision::Say(Backend::Software));
        assert_eq!(decide(None, || Gpu::There), Decision::Iced);
        assert_eq!(decide(Some("?"), || Gpu::Missing), Decision::Say(Backend::Software));
    }
}
