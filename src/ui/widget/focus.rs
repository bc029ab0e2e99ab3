//! Makes anything reachable by Tab: a widget around another one that takes the keyboard's focus, shows it by a ring and
//! turns Enter and Space (or any key) into a message. iced's own buttons, sliders and pickers know the mouse only.

use iced::advanced::widget::{Operation, Tree, operation, tree};
use iced::advanced::{Clipboard, Layout, Shell, Widget, layout, overlay, renderer};
use iced::keyboard::{self, Key, key::Named};
use iced::widget::Id;
use iced::{Border, Color, Element, Event, Length, Rectangle, Size, Theme, Vector, mouse, touch};

use crate::ui::theme::{Look, RADIUS, RING};

type OnKey<'a, Message> = Box<dyn Fn(&Key, keyboard::Modifiers) -> Option<Message> + 'a>;

/// Something with the keyboard's focus around `content`.
#[allow(missing_debug_implementations, reason = "it holds a closure and an element, which have none")]
pub struct Focus<'a, Message> {
    content: Element<'a, Message>,
    id: Option<Id>,
    ring: Color,
    radius: f32,
    activate: Option<Message>,
    keys: Option<OnKey<'a, Message>>,
}

impl<'a, Message: Clone + 'a> Focus<'a, Message> {
    /// Around `content`, with no keys yet.
    pub fn new(look: Look, content: impl Into<Element<'a, Message>>) -> Self {
        Self { content: content.into(), id: None, ring: look.colours.text, radius: RADIUS, activate: None, keys: None }
    }

    /// The name by which `focus` and tests find it.
    #[must_use]
    pub fn id(mut self, id: impl Into<Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// What Enter and Space do. `None` cannot be focused: a button that is off.
    #[must_use]
    pub fn on_activate(mut self, message: Option<Message>) -> Self {
        self.activate = message;
        self
    }

    /// What other keys do; `None` leaves the key to others.
    #[must_use]
    pub fn on_key(mut self, keys: impl Fn(&Key, keyboard::Modifiers) -> Option<Message> + 'a) -> Self {
        self.keys = Some(Box::new(keys));
        self
    }

    /// The corners of the ring.
    #[must_use]
    pub fn radius(mut self, radius: f32) -> Self {
        self.radius = radius;
        self
    }

    fn can_focus(&self) -> bool {
        self.activate.is_some() || self.keys.is_some()
    }

    fn message(&self, key: &Key, modifiers: keyboard::Modifiers) -> Option<Message> {
        if let Some(message) = self.keys.as_ref().and_then(|keys| keys(key, modifiers)) {
            return Some(message);
        }
        match key {
            Key::Named(Named::Enter | Named::Space) if modifiers.is_empty() => self.activate.clone(),
            _ => None,
        }
    }
}

#[derive(Debug, Default)]
struct State {
    focused: bool,
}

impl operation::Focusable for State {
    fn is_focused(&self) -> bool {
        self.focused
    }

    fn focus(&mut self) {
        self.focused = true;
    }

    fn unfocus(&mut self) {
        self.focused = false;
    }
}

impl<'a, Message: Clone + 'a> Widget<Message, Theme, iced::Renderer> for Focus<'a, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State::default())
    }

    fn children(&self) -> Vec<Tree> {
        vec![Tree::new(&self.content)]
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(std::slice::from_ref(&self.content));
    }

    fn size(&self) -> Size<Length> {
        self.content.as_widget().size()
    }

    fn size_hint(&self) -> Size<Length> {
        self.content.as_widget().size_hint()
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        self.content.as_widget_mut().layout(&mut tree.children[0], renderer, limits)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &iced::Renderer,
        operation: &mut dyn Operation,
    ) {
        let state = tree.state.downcast_mut::<State>();
        if self.can_focus() {
            operation.focusable(self.id.as_ref(), layout.bounds(), state);
        } else {
            state.focused = false;
        }
        operation.container(self.id.as_ref(), layout.bounds());
        let child = &mut tree.children[0];
        operation.traverse(&mut |operation| {
            self.content.as_widget_mut().operate(child, layout, renderer, operation);
        });
    }

    fn update(
        &mut self,
        tree: &mut Tree,
        event: &Event,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        renderer: &iced::Renderer,
        clipboard: &mut dyn Clipboard,
        shell: &mut Shell<'_, Message>,
        viewport: &Rectangle,
    ) {
        let child = &mut tree.children[0];
        self.content.as_widget_mut().update(child, event, layout, cursor, renderer, clipboard, shell, viewport);
        let state = tree.state.downcast_mut::<State>();
        match event {
            // A key that is held does nothing twice: what it opened is not answered by it.
            Event::Keyboard(keyboard::Event::KeyPressed { key, modifiers, repeat: false, .. })
                if state.focused && !shell.is_event_captured() =>
            {
                if let Some(message) = self.message(key, *modifiers) {
                    shell.publish(message);
                    shell.capture_event();
                }
            }
            // Whoever points needs no ring.
            Event::Mouse(mouse::Event::ButtonPressed(_)) | Event::Touch(touch::Event::FingerPressed { .. })
                if state.focused =>
            {
                state.focused = false;
                shell.request_redraw();
            }
            _ => {}
        }
    }

    fn draw(
        &self,
        tree: &Tree,
        renderer: &mut iced::Renderer,
        theme: &Theme,
        style: &renderer::Style,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
    ) {
        use iced::advanced::Renderer as _;
        self.content.as_widget().draw(&tree.children[0], renderer, theme, style, layout, cursor, viewport);
        if !tree.state.downcast_ref::<State>().focused {
            return;
        }
        let ring = renderer::Quad {
            bounds: layout.bounds(),
            border: Border { color: self.ring, width: RING - 1.0, radius: self.radius.into() },
            ..renderer::Quad::default()
        };
        // A layer of its own, or pictures and text would lie over it.
        renderer.with_layer(*viewport, |renderer| renderer.fill_quad(ring, Color::TRANSPARENT));
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        self.content.as_widget().mouse_interaction(&tree.children[0], layout, cursor, viewport, renderer)
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &iced::Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, iced::Renderer>> {
        self.content.as_widget_mut().overlay(&mut tree.children[0], layout, renderer, viewport, translation)
    }
}

impl<'a, Message: Clone + 'a> From<Focus<'a, Message>> for Element<'a, Message> {
    fn from(focus: Focus<'a, Message>) -> Self {
        Self::new(focus)
    }
}
