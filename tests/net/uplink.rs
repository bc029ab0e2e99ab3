//! What a call spends on a real link: on loopback the camera gets what it wants, and keeps it.

use lets_meet::av::spec;
use lets_meet::clock;
use lets_meet::engine::Handle;
use lets_meet::meeting::Event;
use lets_meet::stats;

use super::pictures::{LIMIT, start};

/// The next figures of the only peer.
async fn figures(handle: &Handle) -> stats::Peer {
    let figures = async {
        loop {
            if let Some(Event::Stats(stats)) = handle.event().await
                && let Some(peer) = stats.peers.values().next()
            {
                return peer.clone();
            }
        }
    };
    tokio::time::timeout(LIMIT, figures).await.expect("figures")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_camera_gets_its_rate_on_loopback_within_two_seconds_and_keeps_it() {
    let folder = tempfile::tempdir().expect("folder");
    let card = spec::Camera::TestCard { width: 1280, height: 720, fps: 30 };
    let none = spec::Microphone::None;
    let (ada, _, address) = start(folder.path(), "Ada", card, spec::Microphone::Tone, None).await;
    let (bo, _, _) = start(folder.path(), "Bo", spec::Camera::None, none, Some(address)).await;
    let sends = |peer: &stats::Peer| peer.sending.video.clone().filter(|video| video.width == Some(1280));
    let mut begun = None;
    // The whole rate of such a picture, as it was before anything was measured.
    let wanted = 3_500_000;
    let reached = loop {
        let peer = figures(&ada).await;
        if let Some(video) = peer.sending.video.as_ref() {
            let begun = *begun.get_or_insert_with(clock::now);
            if video.target_bps >= Some(wanted) {
                break clock::now().saturating_duration_since(begun);
            }
            assert!(begun.elapsed() < LIMIT, "{video:?} of {:?}", peer.link);
        }
    };
    assert!(reached.as_secs_f64() <= 2.0, "{reached:?}");
    // Ten seconds of figures, whatever else this machine does.
    for _ in 0..10 {
        let peer = figures(&ada).await;
        let video = sends(&peer).unwrap_or_else(|| panic!("a smaller picture: {:?}", peer.sending));
        assert!(video.target_bps >= Some(wanted), "{video:?} of {:?}", peer.link);
        assert_eq!(video.layer.as_deref(), Some("main"));
    }
    drop(bo);
}
