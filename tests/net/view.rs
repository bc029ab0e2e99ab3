//! Nothing is sent that nobody wants: `view none` stops the pictures at their source.

use std::time::{Duration, Instant};

use lets_meet::av::spec;
use lets_meet::media::View;
use lets_meet::meeting::{Command, Event};
use lets_meet::stats::Stats;

use crate::meeting::{Peer, config};

/// The next figures that `wanted` accepts, and when they were told.
async fn figures(peer: &Peer, what: &str, wanted: impl Fn(&Stats) -> bool) -> Instant {
    peer.wait(what, |event| matches!(event, Event::Stats(stats) if wanted(stats))).await;
    lets_meet::clock::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pictures_that_nobody_wants_are_sent_no_more_and_come_back_when_wanted() {
    let folder = tempfile::tempdir().expect("folder");
    let camera = spec::Camera::TestCard { width: 160, height: 90, fps: 15 };
    let mut settings = config(folder.path(), "Ada", &[]);
    settings.media.camera = camera.clone();
    (settings.settings.camera, settings.settings.camera_on) = (camera, true);
    let ada = Peer::with(settings).await;
    let bo = Peer::start(folder.path(), "Bo", &[ada.address]).await;
    tokio::join!(ada.joined(&bo), bo.joined(&ada));
    let flows = |stats: &Stats| stats.rates.sent.video > 0;
    let shown =
        |stats: &Stats| stats.peers.values().any(|peer| peer.video.as_ref().is_some_and(|video| video.fps > Some(0.0)));
    figures(&ada, "pictures", flows).await;
    figures(&bo, "shown pictures", shown).await;

    for _ in 0..2 {
        let view = |size| Command::View { peer: ada.id.to_string(), track: None, size };
        bo.handle.command(view(View::None)).await.expect("asked");
        let asked = lets_meet::clock::now();
        // Figures cover the second before them: the first ones wholly after one second from now hold no packet of a
        // picture, nor do any after them.
        let late = |stats: &Stats| {
            assert!(asked.elapsed() < Duration::from_millis(2_500) || stats.rates.sent.video == 0, "{:?}", stats.rates);
            asked.elapsed() > Duration::from_millis(4_500)
        };
        figures(&ada, "figures without pictures", late).await;
        bo.handle.command(view(View::Large)).await.expect("asked");
        let again = lets_meet::clock::now();
        let resumed = figures(&ada, "pictures again", flows).await;
        assert!(resumed - again < Duration::from_secs(6), "it took {:?}", resumed - again);
        figures(&bo, "shown pictures again", shown).await;
    }
    ada.handle.leave().await;
    bo.handle.leave().await;
}
