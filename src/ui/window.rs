//! Opens the window and keeps it open.

use std::fmt::Debug;
use std::path::PathBuf;
use std::sync::Arc;

use iced::futures::future::BoxFuture;
use iced::{Size, window};

use super::action::Meet;
use super::app::App;
use super::choices::Choices;
use super::session::{Goal, Trouble};
use super::theme;
use crate::engine::Handle;
use crate::handover;
use crate::share::DisplayName;

/// The smallest window that everything fits into.
const SMALLEST: Size = Size::new(800.0, 600.0);

/// Starts engines for the window: it knows the profile, the identity and the command line's options.
pub trait Launcher: Debug + Send + Sync {
    /// The engine of `goal` with these choices. Nothing happens before it is awaited.
    fn launch(&self, choices: &Choices, goal: Goal) -> BoxFuture<'static, Result<Handle, Trouble>>;
    /// Another name, for the engines to come and for the next run of the window. Blocks on the disk.
    fn rename(&self, name: &DisplayName) -> Result<(), Trouble>;
    /// The same for engines to come, at once and without the disk.
    fn call_me(&self, _name: &DisplayName) {}
    /// Engines announce nothing.
    fn is_hidden(&self, choices: &Choices) -> bool;

    /// What the next second start asks for; `None`: there will be none.
    fn handed_over(&self) -> BoxFuture<'static, Option<handover::Message>>;

    /// Ends when the system asks the program to end.
    fn stopped(&self) -> BoxFuture<'static, ()>;
}

/// What the window starts with.
#[derive(Debug)]
pub struct Start {
    /// The profile folder, for the choices.
    pub profile: PathBuf,
    /// What holds at the start: what was found there, and what the command line says for this run.
    pub choices: Choices,
    /// As found there.
    pub remembered: Choices,
    /// Starts engines.
    pub launcher: Arc<dyn Launcher>,
    /// Go straight into this meeting.
    pub meet: Option<Meet>,
    /// A `letsmeet://` link to ask about.
    pub link: Option<String>,
    /// To be said at the start.
    pub remark: Option<String>,
    /// Where the map of the window is written (see [`super::map`]).
    pub map: Option<PathBuf>,
}

/// Runs the window until it is closed.
pub fn run(start: Start) -> Result<(), String> {
    let (width, height) = start.choices.window;
    let start = Arc::new(start);
    let mut application = iced::application(move || App::new(Arc::clone(&start)), App::update, App::view)
        .title(App::title)
        .theme(|app: &App| app.look().iced())
        .subscription(App::subscription)
        .default_font(theme::REGULAR)
        .window(window::Settings {
            size: Size::new(width, height),
            min_size: Some(SMALLEST),
            exit_on_close_request: false,
            ..window::Settings::default()
        });
    for font in theme::FONTS {
        application = application.font(font);
    }
    application.run().map_err(|error| error.to_string())
}
