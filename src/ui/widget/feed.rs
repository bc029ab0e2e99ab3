//! A long list that builds only what is seen: thousands of entries cost as much as the dozen in view.
//!
//! It scrolls by itself and holds on to an entry, not to a distance: what comes in above or below, or is forgotten, moves
//! nothing that is being read. At its end it stays at its end.

use iced::advanced::widget::{Operation, Tree, tree};
use iced::advanced::{Clipboard, Layout, Shell, Widget, layout, overlay, renderer};
use iced::keyboard::{self, Key, key::Named};
use iced::widget::Id;
use iced::{Border, Element, Event, Length, Padding, Point, Rectangle, Size, Theme, Vector, mouse, window};

use crate::ui::theme::Look;

/// Pixels for one line of a mouse wheel.
const WHEEL: f32 = 60.0;
/// The bar at the right, and the space it takes.
const BAR: f32 = 6.0;
const LEAST_THUMB: f32 = 24.0;

/// Where a feed stands that nobody has scrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// At its first entry.
    Top,
    /// At its last one.
    End,
}

type Build<'a, Message> = Box<dyn Fn(usize) -> Element<'a, Message> + 'a>;

/// Such a list.
#[allow(missing_debug_implementations, reason = "it holds closures and elements, which have none")]
pub struct Feed<'a, Message> {
    look: Look,
    id: Option<Id>,
    rest: Rest,
    count: usize,
    key: Box<dyn Fn(usize) -> u64 + 'a>,
    build: Build<'a, Message>,
    padding: Padding,
    jump: u64,
    on_rest: Option<Box<dyn Fn(bool) -> Message + 'a>>,
    // What is in view, in order: keys and elements run alongside, and alongside the tree's children.
    keys: Vec<u64>,
    items: Vec<Element<'a, Message>>,
}

/// A feed of `count` entries. `key` names an entry for as long as it is there, `build` makes it.
pub fn feed<'a, Message>(
    look: Look,
    rest: Rest,
    count: usize,
    key: impl Fn(usize) -> u64 + 'a,
    build: impl Fn(usize) -> Element<'a, Message> + 'a,
) -> Feed<'a, Message> {
    Feed {
        look,
        id: None,
        rest,
        count,
        key: Box::new(key),
        build: Box::new(build),
        padding: Padding::ZERO,
        jump: 0,
        on_rest: None,
        keys: Vec::new(),
        items: Vec::new(),
    }
}

impl<'a, Message> Feed<'a, Message> {
    /// The name by which tests find it.
    #[must_use]
    pub fn id(mut self, id: impl Into<Id>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Space around the entries.
    #[must_use]
    pub fn padding(mut self, padding: impl Into<Padding>) -> Self {
        self.padding = padding.into();
        self
    }

    /// Goes back to where it rests when this number changes.
    #[must_use]
    pub fn jump(mut self, jump: u64) -> Self {
        self.jump = jump;
        self
    }

    /// Told when it comes to where it rests (true) and when it is scrolled away (false).
    #[must_use]
    pub fn on_rest(mut self, message: impl Fn(bool) -> Message + 'a) -> Self {
        self.on_rest = Some(Box::new(message));
        self
    }
}

/// What holds still.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Anchor {
    /// Where it rests.
    Rest,
    /// This entry.
    Entry(Place),
}

/// An entry whose top is `above` pixels over the top of the view.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Place {
    key: u64,
    index: usize,
    above: f32,
}

#[derive(Debug)]
struct State {
    anchor: Anchor,
    jump: u64,
    // The keys of the tree's children.
    keys: Vec<u64>,
    // The first entry in view, and how many there are in it.
    first: Option<Place>,
    seen: f32,
    resting: bool,
    told: Option<bool>,
    // The bar is held: this far below its top.
    held: Option<f32>,
}

fn number(count: usize) -> f32 {
    f32::from(u16::try_from(count).unwrap_or(u16::MAX))
}

/// One entry, laid out.
struct Item<'a, Message> {
    index: usize,
    key: u64,
    element: Element<'a, Message>,
    tree: Tree,
    node: layout::Node,
}

/// The entries of a view while it is laid out: in order, without gaps, the first one's top at `top`.
struct Laying<'f, 'a, Message> {
    feed: &'f Feed<'a, Message>,
    renderer: &'f iced::Renderer,
    limits: layout::Limits,
    old: Vec<(u64, Element<'a, Message>)>,
    trees: Vec<(u64, Tree)>,
    top: f32,
    bottom: f32,
    items: std::collections::VecDeque<Item<'a, Message>>,
}

impl<'a, Message> Laying<'_, 'a, Message> {
    fn lay(&mut self, index: usize) -> Item<'a, Message> {
        let key = (self.feed.key)(index);
        let mut element = match self.old.iter().position(|(old, _)| *old == key) {
            Some(at) => self.old.swap_remove(at).1,
            None => (self.feed.build)(index),
        };
        let mut tree = match self.trees.iter().position(|(old, _)| *old == key) {
            Some(at) => self.trees.swap_remove(at).1,
            None => Tree::empty(),
        };
        tree.diff(element.as_widget());
        let node = element.as_widget_mut().layout(&mut tree, self.renderer, &self.limits);
        Item { index, key, element, tree, node }
    }

    /// More entries at the bottom, from `next` on where there are none, until the view is full.
    fn down(&mut self, next: usize, height: f32) {
        let next = self.items.back().map_or(next, |item| item.index + 1);
        for index in next..self.feed.count {
            if self.bottom >= height {
                break;
            }
            let item = self.lay(index);
            self.bottom += item.node.size().height;
            self.items.push_back(item);
        }
    }

    /// More entries at the top, until the view is full.
    fn up(&mut self, next: usize) {
        let next = self.items.front().map_or(next, |item| item.index);
        for index in (0..next).rev() {
            if self.top <= 0.0 {
                break;
            }
            let item = self.lay(index);
            self.top -= item.node.size().height;
            self.items.push_front(item);
        }
    }

    fn shift(&mut self, by: f32) {
        self.top += by;
        self.bottom += by;
    }

    fn lay_out(&mut self, anchor: Anchor, rest: Rest, height: f32) {
        let count = self.feed.count;
        match anchor {
            Anchor::Entry(place) => {
                self.shift(-place.above);
                self.down(place.index, height);
                self.up(place.index);
            }
            Anchor::Rest if rest == Rest::Top => self.down(0, height),
            Anchor::Rest => {
                self.shift(height);
                self.up(count);
            }
        }
        let at_last = self.items.back().is_some_and(|item| item.index + 1 == count);
        if at_last && self.bottom < height {
            // Beyond the last entry there is nothing to see,
            self.shift(height - self.bottom);
            self.up(count);
        }
        if self.top > 0.0 {
            // nor before the first one.
            self.shift(-self.top);
            self.down(0, height);
        }
        while let Some(first) = self.items.front()
            && self.items.len() > 1
            && self.top + first.node.size().height <= 0.0
        {
            self.top += first.node.size().height;
            self.items.pop_front();
        }
    }
}

impl<'a, Message: 'a> Feed<'a, Message> {
    fn find(&self, anchor: Anchor) -> Anchor {
        let Anchor::Entry(place) = anchor else { return Anchor::Rest };
        let Some(last) = self.count.checked_sub(1) else { return Anchor::Rest };
        let near = place.index.min(last);
        let found = (near..self.count).chain((0..near).rev()).find(|index| (self.key)(*index) == place.key);
        Anchor::Entry(match found {
            Some(index) => Place { index, ..place },
            // It was forgotten: what stands in its place.
            None => Place { key: (self.key)(near), index: near, above: 0.0 },
        })
    }

    fn thumb(&self, state: &State, bounds: Rectangle) -> Option<Rectangle> {
        let (all, first) = (number(self.count), state.first?);
        if state.seen >= all {
            return None;
        }
        let height = (bounds.height * state.seen / all).max(LEAST_THUMB).min(bounds.height);
        let part = match (state.resting, self.rest) {
            (true, Rest::End) => 1.0,
            (true, Rest::Top) => 0.0,
            (false, _) => (number(first.index) / (all - state.seen)).clamp(0.0, 1.0),
        };
        let y = bounds.y + part * (bounds.height - height);
        Some(Rectangle { x: bounds.x + bounds.width - BAR - 2.0, y, width: BAR, height })
    }

    /// The bar was drawn to `part` of its way, 0 to 1.
    fn drag(&self, state: &mut State, part: f32) {
        if self.rest == Rest::End && part >= 1.0 || self.rest == Rest::Top && part <= 0.0 {
            state.anchor = Anchor::Rest;
            return;
        }
        let Some(last) = self.count.checked_sub(1) else { return };
        let at = part.clamp(0.0, 1.0) * (number(self.count) - state.seen).max(0.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 65535")]
        let index = (at as usize).min(last);
        state.anchor = Anchor::Entry(Place { key: (self.key)(index), index, above: 0.0 });
    }
}

impl State {
    fn scroll(&mut self, by: f32) {
        if let Some(first) = self.first {
            self.anchor = Anchor::Entry(Place { above: first.above + by, ..first });
        }
    }
}

impl<'a, Message: 'a> Widget<Message, Theme, iced::Renderer> for Feed<'a, Message> {
    fn tag(&self) -> tree::Tag {
        tree::Tag::of::<State>()
    }

    fn state(&self) -> tree::State {
        tree::State::new(State {
            anchor: Anchor::Rest,
            jump: self.jump,
            keys: Vec::new(),
            first: None,
            seen: 0.0,
            resting: true,
            told: None,
            held: None,
        })
    }

    // The children are known when the view is laid out: what is there from before is kept until then.
    fn diff(&self, _tree: &mut Tree) {}

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        let size = limits.max();
        let state = tree.state.downcast_mut::<State>();
        if state.jump != self.jump {
            (state.jump, state.anchor) = (self.jump, Anchor::Rest);
        }
        let (items, keys) = (std::mem::take(&mut self.items), std::mem::take(&mut self.keys));
        let trees = std::mem::take(&mut tree.children);
        let padding = Padding { right: self.padding.right.max(BAR + 4.0), ..self.padding };
        let width = (size.width - padding.x()).max(1.0);
        let height = (size.height - padding.y()).max(0.0);
        let mut laying = Laying {
            feed: self,
            renderer,
            limits: layout::Limits::new(Size::ZERO, Size::new(width, f32::INFINITY)),
            old: keys.into_iter().zip(items).collect(),
            trees: std::mem::take(&mut state.keys).into_iter().zip(trees).collect(),
            top: 0.0,
            bottom: 0.0,
            items: std::collections::VecDeque::new(),
        };
        laying.lay_out(self.find(state.anchor), self.rest, height);
        let (mut y, bottom, laid) = (laying.top, laying.bottom, laying.items);
        state.first = laid.front().map(|item| Place { key: item.key, index: item.index, above: -y });
        state.seen = number(laid.len());
        state.resting = match self.rest {
            Rest::Top => state.first.is_none_or(|first| first.index == 0 && first.above <= 0.5),
            Rest::End => laid.back().is_none_or(|item| item.index + 1 == self.count) && bottom <= height + 0.5,
        };
        state.anchor = match state.first {
            Some(first) if !state.resting => Anchor::Entry(first),
            _ => Anchor::Rest,
        };
        let mut nodes = Vec::with_capacity(laid.len());
        for Item { key, element, tree: child, node, .. } in laid {
            let down = node.size().height;
            nodes.push(node.move_to(Point::new(padding.left, padding.top + y)));
            y += down;
            self.keys.push(key);
            state.keys.push(key);
            self.items.push(element);
            tree.children.push(child);
        }
        layout::Node::with_children(size, nodes)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &iced::Renderer,
        operation: &mut dyn Operation,
    ) {
        operation.container(self.id.as_ref(), layout.bounds());
        operation.traverse(&mut |operation| {
            for ((item, tree), layout) in self.items.iter_mut().zip(&mut tree.children).zip(layout.children()) {
                item.as_widget_mut().operate(tree, layout, renderer, operation);
            }
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
        let bounds = layout.bounds();
        let state = tree.state.downcast_mut::<State>();
        let thumb = self.thumb(state, bounds);
        let over = cursor.is_over(bounds);
        let on_bar = thumb.is_some() && cursor.position_in(bounds).is_some_and(|at| at.x > bounds.width - BAR - 4.0);
        let inner = if over && !on_bar && state.held.is_none() { cursor } else { mouse::Cursor::Unavailable };
        let clipped = bounds.intersection(viewport).unwrap_or_default();
        for ((item, tree), layout) in self.items.iter_mut().zip(&mut tree.children).zip(layout.children()) {
            item.as_widget_mut().update(tree, event, layout, inner, renderer, clipboard, shell, &clipped);
        }
        if let Event::Window(window::Event::RedrawRequested(_)) = event
            && state.told != Some(state.resting)
            && let Some(on_rest) = &self.on_rest
        {
            state.told = Some(state.resting);
            shell.publish(on_rest(state.resting));
        }
        if shell.is_event_captured() {
            return;
        }
        match event {
            Event::Mouse(mouse::Event::WheelScrolled { delta }) if over => {
                state.scroll(match delta {
                    mouse::ScrollDelta::Lines { y, .. } => -y * WHEEL,
                    mouse::ScrollDelta::Pixels { y, .. } => -y,
                });
            }
            Event::Keyboard(keyboard::Event::KeyPressed { key: Key::Named(Named::PageUp), .. }) => {
                state.scroll(-bounds.height * 0.9);
            }
            Event::Keyboard(keyboard::Event::KeyPressed { key: Key::Named(Named::PageDown), .. }) => {
                state.scroll(bounds.height * 0.9);
            }
            Event::Mouse(mouse::Event::ButtonPressed(mouse::Button::Left)) if on_bar => {
                let (Some(thumb), Some(at)) = (thumb, cursor.position()) else { return };
                let inside = (thumb.y..thumb.y + thumb.height).contains(&at.y);
                state.held = Some(if inside { at.y - thumb.y } else { thumb.height / 2.0 });
            }
            Event::Mouse(mouse::Event::CursorMoved { position }) if state.held.is_some() => {
                let (Some(held), Some(thumb)) = (state.held, thumb) else { return };
                let way = (bounds.height - thumb.height).max(1.0);
                self.drag(state, (position.y - held - bounds.y) / way);
            }
            Event::Mouse(mouse::Event::ButtonReleased(mouse::Button::Left)) if state.held.is_some() => {
                state.held = None;
            }
            _ => return,
        }
        shell.capture_event();
        shell.invalidate_layout();
        shell.request_redraw();
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
        let bounds = layout.bounds();
        let Some(clipped) = bounds.intersection(viewport) else { return };
        let state = tree.state.downcast_ref::<State>();
        let inner = if cursor.is_over(clipped) { cursor } else { mouse::Cursor::Unavailable };
        renderer.with_layer(clipped, |renderer| {
            for ((item, tree), layout) in self.items.iter().zip(&tree.children).zip(layout.children()) {
                item.as_widget().draw(tree, renderer, theme, style, layout, inner, &clipped);
            }
        });
        let Some(thumb) = self.thumb(state, bounds) else { return };
        let colour = if state.held.is_some() { self.look.colours.quiet } else { self.look.colours.line };
        let border = Border { radius: (BAR / 2.0).into(), ..Border::default() };
        let quad = renderer::Quad { bounds: thumb, border, ..renderer::Quad::default() };
        renderer.with_layer(clipped, |renderer| renderer.fill_quad(quad, colour));
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        if !cursor.is_over(layout.bounds()) {
            return mouse::Interaction::default();
        }
        let children = self.items.iter().zip(&tree.children).zip(layout.children());
        children
            .map(|((item, tree), layout)| item.as_widget().mouse_interaction(tree, layout, cursor, viewport, renderer))
            .max()
            .unwrap_or_default()
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &iced::Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, iced::Renderer>> {
        overlay::from_children(&mut self.items, tree, layout, renderer, viewport, translation)
    }
}

impl<'a, Message: 'a> From<Feed<'a, Message>> for Element<'a, Message> {
    fn from(feed: Feed<'a, Message>) -> Self {
        Self::new(feed)
    }
}
