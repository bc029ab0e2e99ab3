//! When the window is told of pictures: that there are new ones, at most thirty times a second. Never a picture itself.

use std::hash::{Hash, Hasher};
use std::time::{Duration, Instant};

use iced::Subscription;
use iced::futures::{Stream, stream};

use crate::clock;
use crate::engine::pictures::{News, Pictures};

/// Thirty a second, on average also where timers are late.
const TICK: Duration = Duration::from_nanos(33_333_333);

/// A place of pictures as the data of a subscription: another place is another subscription.
struct Place(Pictures);

impl Hash for Place {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.number().hash(state);
    }
}

/// Yields when a picture that a tile shows is new, and never otherwise.
pub fn ticks(pictures: &Pictures) -> Subscription<()> {
    Subscription::run_with(Place(pictures.clone()), |place| paced(place.0.news()))
}

fn paced(news: News) -> impl Stream<Item = ()> {
    stream::unfold((news, clock::now()), |(mut news, next)| async move {
        tokio::time::sleep_until(next.into()).await;
        news.next().await;
        Some(((), (news, following(next, clock::now()))))
    })
}

/// When the tick after one at `now` may come, whose own time was `planned`.
fn following(planned: Instant, now: Instant) -> Instant {
    // A tick that came late by itself does not delay all that follow.
    let late = now.saturating_duration_since(planned);
    if late < TICK { planned + TICK } else { now }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use iced::futures::StreamExt as _;

    use super::*;
    use crate::engine::pictures::Key;
    use crate::frame::Pool;

    #[tokio::test]
    async fn pictures_that_come_faster_than_ticks_share_one() {
        let (pictures, key) = (Pictures::new(), Key::own());
        pictures.open(key);
        let _viewer = pictures.view(key);
        let mut ticks = Box::pin(paced(pictures.news()));
        let picture = Arc::new(Pool::new(0).picture(4, 2));
        let start = clock::now();
        for _ in 0..4 {
            for _ in 0..10 {
                pictures.show(key, &picture);
            }
            ticks.next().await.expect("a tick");
        }
        // The first comes at once.
        assert!(clock::now().saturating_duration_since(start) >= 3 * TICK);
    }

    #[test]
    fn late_timers_do_not_slow_the_ticks_down() {
        let start = clock::now();
        let mut planned = start;
        // Each comes 1 ms late, as timers do.
        for _ in 0..30 {
            planned = following(planned, planned + Duration::from_millis(1));
        }
        let second = planned.saturating_duration_since(start);
        assert!((second.as_secs_f64() - 1.0).abs() < 0.001, "{second:?}");
        let late = start + Duration::from_secs(3);
        assert_eq!(following(start, late), late, "after a pause nothing is made up for");
    }
}
