//! The pages of the settings.

use iced::widget::{Column, Id, column, row};
use iced::{Alignment, Element, Length};

use super::{Ask, Message, Username};
use crate::av::spec::Quality;
use crate::av::spec::voice::Noise;
use crate::engine::devices::{Devices, Kind as Device};
use crate::engine::doctor::Interface;
use crate::meeting::{KnownPerson, Trust, Words};
use crate::ui::app::Context;
use crate::ui::choices::Choices;
use crate::ui::dialog::verify;
use crate::ui::icon::Icon;
use crate::ui::keys::SHEET;
use crate::ui::text::{meeting, settings as words};
use crate::ui::theme::{Choice, GAP, HALF, Look, PAD, Size};
use crate::ui::widget::button::{self, Kind};
use crate::ui::widget::devices::{Pick, picks};
use crate::ui::widget::{avatar, card, divider, field, label, quiet, strong, trust};

type Page<'a> = Element<'a, Message>;

/// A message that keeps the choices with one of them changed.
fn choose(choices: &Choices, change: impl FnOnce(&mut Choices)) -> Message {
    let mut choices = choices.clone();
    change(&mut choices);
    Message::Choose(Box::new(choices))
}

fn named<'a>(look: Look, name: &'a str, control: impl Into<Page<'a>>) -> Page<'a> {
    column![strong(look, name), control.into()].spacing(8).into()
}

fn switch<'a>(
    context: Context<'a>,
    id: &'static str,
    name: &'a str,
    on: bool,
    set: impl Fn(&mut Choices, bool) + 'a,
) -> Page<'a> {
    field::switch(context.look, id, name, on, move |on| choose(context.choices, |choices| set(choices, on)))
}

/// The name to show, and the one at the rendezvous.
pub fn profile<'a>(context: Context<'a>, name: &'a str, username: &'a Username) -> Page<'a> {
    let look = context.look;
    let line = field::line(look, "name", words::NAME, name).on_input(Message::Name).on_submit(Message::KeepName);
    let current = context.model.me.as_ref().map(|me| me.name.as_str()).unwrap_or_default();
    let new = !name.trim().is_empty() && name.trim() != current;
    let keep = button::with_words(look, Kind::Primary, words::KEEP_NAME)
        .id("keep-name")
        .on_press_maybe(new.then_some(Message::KeepName));
    column![
        named(look, words::NAME, row![line, keep].spacing(8)),
        quiet(look, words::NAME_WHY),
        divider(look),
        username.view(context).map(Message::Username),
    ]
    .spacing(PAD)
    .into()
}

/// Cameras, microphones, speakers.
pub fn devices<'a>(context: Context<'a>, devices: Option<&'a Devices>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let Some(devices) = devices else { return label(look, words::LOOKING).into() };
    let picker = |id: &'static str, kind: Device, chosen: &str, set: fn(&mut Choices, String)| {
        let (all, selected) = picks(Some(devices), kind, chosen);
        field::picker(look, id, all, selected, "", move |pick: Pick| choose(choices, |choices| set(choices, pick.spec)))
    };
    let test = button::with_words(look, Kind::Plain, words::TEST_SOUND)
        .icon(Icon::Play)
        .id("test-sound")
        .on_press(Message::Ask(Ask::TestSound));
    column![
        named(look, words::CAMERA, picker("camera-device", Device::Camera, &choices.camera, |c, spec| c.camera = spec)),
        named(
            look,
            words::MICROPHONE,
            picker("microphone-device", Device::Microphone, &choices.microphone, |c, spec| c.microphone = spec)
        ),
        named(
            look,
            words::SPEAKER,
            picker("speaker-device", Device::Speaker, &choices.speaker, |c, spec| c.speaker = spec)
        ),
        test,
        quiet(look, words::DEVICES_WHEN),
        divider(look),
        switch(context, "start-camera", words::START_CAMERA, choices.camera_on, |c, on| c.camera_on = on),
        switch(context, "start-microphone", words::START_MICROPHONE, choices.microphone_on, |c, on| c.microphone_on =
            on),
        switch(context, "push-to-talk", words::PUSH_TO_TALK, choices.push_to_talk, |c, on| c.push_to_talk = on),
    ]
    .spacing(PAD)
    .into()
}

/// Buttons of which some are chosen: id, words, whether it is, what a press does.
fn buttons<'a, I: Into<Id>, W: Into<String>>(
    look: Look,
    options: impl Iterator<Item = (I, W, bool, Message)>,
) -> Page<'a> {
    let buttons = options.map(|(id, name, chosen, message)| {
        let kind = if chosen { Kind::Chosen } else { Kind::Plain };
        button::with_words(look, kind, name).id(id).on_press(message).into()
    });
    row(buttons).spacing(8).wrap().vertical_spacing(8).into()
}

/// What is done to the microphone's sound.
pub fn voice<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let noises = Noise::ALL.into_iter().map(|noise| {
        let press = choose(choices, |choices| noise.as_str().clone_into(&mut choices.noise));
        (format!("noise-{noise}"), words::noise(noise), choices.noise == noise.as_str(), press)
    });
    let original =
        switch(context, "original-sound", words::ORIGINAL, choices.original_sound, |c, on| c.original_sound = on);
    let mut page = column![original, quiet(look, words::ORIGINAL_WHY)].spacing(PAD);
    if !choices.original_sound {
        page = page
            .push(divider(look))
            .push(switch(context, "echo", words::ECHO, choices.echo, |c, on| c.echo = on))
            .push(quiet(look, words::ECHO_WHY))
            .push(named(look, words::NOISE, buttons(look, noises)))
            .push(quiet(look, words::NOISE_WHY))
            .push(switch(context, "gain", words::GAIN, choices.gain, |c, on| c.gain = on));
    }
    page.into()
}

/// How much the camera sends.
pub fn video<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let options = Quality::ALL.into_iter().map(|quality| {
        let spec = quality.to_string();
        let press = choose(choices, |choices| choices.quality.clone_from(&spec));
        (spec.clone(), meeting::quality(quality), choices.quality == spec, press)
    });
    let limits = [
        ("most-video-none", words::NO_LIMIT, None),
        ("most-video-300", "300 kbit/s", Some(300_000)),
        ("most-video-600", "600 kbit/s", Some(600_000)),
        ("most-video-1200", "1.2 Mbit/s", Some(1_200_000)),
        ("most-video-2500", "2.5 Mbit/s", Some(2_500_000)),
        ("most-video-5000", "5 Mbit/s", Some(5_000_000)),
    ];
    let limits = limits.into_iter().map(|(id, name, bps)| {
        (id, name, choices.most_video == bps, choose(choices, |choices| choices.most_video = bps))
    });
    column![
        buttons(look, options),
        quiet(look, words::QUALITY_WHY),
        divider(look),
        named(look, words::MOST_VIDEO, buttons(look, limits)),
        quiet(look, words::MOST_VIDEO_WHEN),
    ]
    .spacing(PAD)
    .into()
}

/// Rendezvous, port, interface, doctor.
pub fn network<'a>(
    context: Context<'a>,
    rendezvous: &'a str,
    port: &'a str,
    interfaces: Option<&'a [Interface]>,
    wrong: Option<&'static str>,
) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let service = field::line(look, "rendezvous", words::RENDEZVOUS_EXAMPLE, rendezvous)
        .on_input(Message::Rendezvous)
        .on_submit(Message::ApplyNetwork);
    let number =
        field::line(look, "port", words::PORT_USUAL, port).on_input(Message::Port).on_submit(Message::ApplyNetwork);
    let changed = choices.rendezvous != rendezvous.trim()
        || choices.port.map(|port| port.to_string()).unwrap_or_default() != port;
    let apply = button::with_words(look, Kind::Primary, words::APPLY)
        .id("apply-network")
        .on_press_maybe((changed && wrong.is_none()).then_some(Message::ApplyNetwork));
    let wrong = wrong.map(|wrong| label(look, wrong).color(look.colours.danger));
    let doctor = button::with_words(look, Kind::Plain, words::DOCTOR)
        .icon(Icon::Doctor)
        .id("doctor")
        .on_press(Message::Ask(Ask::Doctor));
    column![
        named(look, words::RENDEZVOUS, service),
        quiet(look, words::RENDEZVOUS_WHY),
        named(look, words::PORT, number),
        wrong,
        apply,
        divider(look),
        named(look, words::INTERFACES, self::interfaces(context, interfaces)),
        quiet(look, words::INTERFACES_WHY),
        divider(look),
        quiet(look, words::NETWORK_WHEN),
        doctor,
    ]
    .spacing(PAD)
    .into()
}

/// All of them, or those that are chosen.
fn interfaces<'a>(context: Context<'a>, list: Option<&'a [Interface]>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let Some(list) = list else { return quiet(look, words::INTERFACES_COMING).into() };
    let chosen = &choices.interfaces;
    let all = ("interfaces-all".to_owned(), words::ALL_INTERFACES.to_owned(), chosen.is_empty());
    let all = (all.0, all.1, all.2, choose(choices, |choices| choices.interfaces.clear()));
    let there = list.iter().map(|one| (&one.name, words::interface(&one.name, one.addresses.first().copied())));
    // Chosen once, or on the command line, and not up now.
    let gone = chosen.iter().filter(|name| list.iter().all(|one| one.name != **name));
    let each = there.chain(gone.map(|name| (name, words::interface_gone(name)))).map(|(name, shown)| {
        let press = choose(choices, |choices| match chosen.iter().position(|one| one == name) {
            // Without the last one it is all of them.
            Some(at) => drop(choices.interfaces.remove(at)),
            None => choices.interfaces.push(name.clone()),
        });
        (format!("interface-{name}"), shown, chosen.contains(name), press)
    });
    buttons(look, std::iter::once(all).chain(each))
}

/// Who sees us, who may ring, where files land.
pub fn privacy<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let folder =
        choices.download_dir.as_ref().map_or_else(|| words::DOWNLOADS.to_owned(), |dir| dir.display().to_string());
    let pick = button::with_words(look, Kind::Plain, words::CHOOSE)
        .icon(Icon::Folder)
        .small()
        .id("download-folder")
        .on_press(Message::Ask(Ask::PickFolder));
    let files = row![label(look, folder).width(Length::Fill), pick].spacing(PAD).align_y(Alignment::Center);
    column![
        switch(context, "announce", words::ANNOUNCE, choices.announce, |c, on| c.announce = on),
        quiet(look, words::ANNOUNCE_WHY),
        context.model.meeting.is_some().then(|| quiet(look, words::FROM_NEXT)),
        switch(context, "silence", words::SILENCE, choices.silence_unknown, |c, on| c.silence_unknown = on),
        switch(context, "notifications", words::NOTIFICATIONS, choices.notifications, |c, on| c.notifications = on),
        divider(look),
        named(look, words::RECEIVED_FILES, files),
        switch(context, "accept-verified", words::ACCEPT_VERIFIED, choices.accept_verified, |c, on| {
            c.accept_verified = on;
        }),
        quiet(look, if choices.accept_verified { words::FILES_ASK_OTHERS } else { words::FILES_ASK }),
    ]
    .spacing(PAD)
    .into()
}

/// Theme, text size, motion.
pub fn appearance<'a>(context: Context<'a>) -> Page<'a> {
    let (look, choices) = (context.look, context.choices);
    let themes = [
        ("theme-system", words::THEME_SYSTEM, Choice::System),
        ("theme-dark", words::THEME_DARK, Choice::Dark),
        ("theme-light", words::THEME_LIGHT, Choice::Light),
        ("theme-contrast", words::THEME_CONTRAST, Choice::Contrast),
    ];
    let themes = themes
        .into_iter()
        .map(|(id, name, theme)| (id, name, choices.theme == theme, choose(choices, |choices| choices.theme = theme)));
    let sizes = [
        ("text-100", "100 %", 100),
        ("text-125", "125 %", 125),
        ("text-150", "150 %", 150),
        ("text-175", "175 %", 175),
        ("text-200", "200 %", 200),
    ];
    let sizes = sizes.into_iter().map(|(id, name, percent)| {
        (id, name, choices.text_percent == percent, choose(choices, |choices| choices.text_percent = percent))
    });
    column![
        named(look, words::THEME, buttons(look, themes)),
        named(look, words::TEXT_SIZE, buttons(look, sizes)),
        switch(context, "reduced-motion", words::REDUCED_MOTION, choices.reduced_motion, |c, on| c.reduced_motion = on),
    ]
    .spacing(GAP)
    .into()
}

/// Oneself, and those who were met.
pub fn keys<'a>(context: Context<'a>, known: Option<&'a [KnownPerson]>, own: Option<&'a Words>) -> Page<'a> {
    let look = context.look;
    let people: Page<'a> = match known.filter(|known| !known.is_empty()) {
        None => quiet(look, words::NOBODY_KNOWN).into(),
        Some(known) => Column::with_children(known.iter().map(|known| known_person(look, known))).spacing(12).into(),
    };
    column![own_key(context, own), strong(look, words::KNOWN_PEOPLE), people].spacing(PAD).into()
}

/// What others know oneself by.
fn own_key<'a>(context: Context<'a>, own: Option<&'a Words>) -> Option<Page<'a>> {
    let (look, me) = (context.look, context.model.me.as_ref()?);
    let copy = |id: &'static str, text: String| {
        button::with_words(look, Kind::Plain, words::COPY)
            .icon(Icon::Copy)
            .small()
            .id(id)
            .on_press(Message::Ask(Ask::Copy(text)))
    };
    let head = |name: &'static str, copy: Option<button::Button<Message>>| {
        let copy = copy.map(Element::from);
        row![strong(look, name).width(Length::Fill), copy].spacing(PAD).align_y(Alignment::Center)
    };
    let id = me.peer.to_string();
    let said = column![
        head(words::OWN_WORDS, own.map(|own| copy("copy-words", own.to_string()))),
        verify::list(look, own),
        quiet(look, words::OWN_WORDS_WHY),
    ];
    let key = column![
        head(words::OWN_KEY, Some(copy("copy-key", id.clone()))),
        label(look, id).size(look.size(Size::Small)),
        quiet(look, words::OWN_KEY_WHY)
    ];
    Some(card(look, column![said.spacing(8), divider(look), key.spacing(8)].spacing(PAD)).into())
}

fn known_person<'a>(look: Look, known: &'a KnownPerson) -> Page<'a> {
    let c = look.colours;
    let (badge, state) = match known.trust {
        Trust::Verified => (Some(Icon::Verified.coloured(look, Size::Body, c.good)), words::VERIFIED),
        Trust::Changed => (Some(Icon::Warning.coloured(look, Size::Body, c.danger)), words::CHANGED),
        Trust::New | Trust::Known => (None, words::NOT_VERIFIED),
    };
    let peer = known.person.peer;
    let sure = Message::Ask(Ask::Sure(known.person.clone(), known.trust));
    let sure = trust::sure(look, known.trust, format!("verify {peer}"), sure);
    let forget = button::with_words(look, Kind::Plain, words::FORGET)
        .small()
        .id(format!("forget {peer}"))
        .on_press(Message::Ask(Ask::Forget(peer.to_string())));
    let name = row![strong(look, known.person.name.to_string()), badge].spacing(6).align_y(Alignment::Center);
    let who = column![name, quiet(look, format!("{}, {state}", peer.short()))].spacing(HALF / 2.0);
    let circle = avatar(look, known.person.name.as_str(), peer, 36.0);
    row![circle, who.width(Length::Fill), sure, forget].spacing(12).align_y(Alignment::Center).into()
}

/// All shortcuts.
pub fn shortcuts<'a>(context: Context<'a>) -> Page<'a> {
    let look = context.look;
    let lines = SHEET.iter().map(|(key, does)| {
        row![strong(look, *key).width(look.scaled(96.0)), label(look, *does).width(Length::Fill)].spacing(PAD).into()
    });
    column(lines).spacing(8).into()
}
