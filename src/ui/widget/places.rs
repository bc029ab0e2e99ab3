//! Children at given places.

use iced::advanced::widget::{Operation, Tree};
use iced::advanced::{Clipboard, Layout, Shell, Widget, layout, overlay, renderer};
use iced::{Element, Event, Length, Rectangle, Size, Theme, Vector, mouse};

/// Each child at its rectangle, measured from the upper left corner of all the room that there is.
#[allow(missing_debug_implementations, reason = "elements have none")]
pub struct Places<'a, Message> {
    children: Vec<Element<'a, Message>>,
    places: Vec<Rectangle>,
}

impl<'a, Message> Places<'a, Message> {
    /// No children.
    pub fn new() -> Self {
        Self { children: Vec::new(), places: Vec::new() }
    }

    /// One more.
    #[must_use]
    pub fn push(mut self, place: Rectangle, child: impl Into<Element<'a, Message>>) -> Self {
        self.children.push(child.into());
        self.places.push(place);
        self
    }
}

impl<Message> Default for Places<'_, Message> {
    fn default() -> Self {
        Self::new()
    }
}

impl<Message> Widget<Message, Theme, iced::Renderer> for Places<'_, Message> {
    fn children(&self) -> Vec<Tree> {
        self.children.iter().map(Tree::new).collect()
    }

    fn diff(&self, tree: &mut Tree) {
        tree.diff_children(&self.children);
    }

    fn size(&self) -> Size<Length> {
        Size::new(Length::Fill, Length::Fill)
    }

    fn layout(&mut self, tree: &mut Tree, renderer: &iced::Renderer, limits: &layout::Limits) -> layout::Node {
        let all = self.children.iter_mut().zip(&mut tree.children).zip(&self.places);
        let nodes = all.map(|((child, tree), place)| {
            let limits = layout::Limits::new(Size::ZERO, place.size());
            child.as_widget_mut().layout(tree, renderer, &limits).move_to(place.position())
        });
        let nodes = nodes.collect();
        layout::Node::with_children(limits.max(), nodes)
    }

    fn operate(
        &mut self,
        tree: &mut Tree,
        layout: Layout<'_>,
        renderer: &iced::Renderer,
        operation: &mut dyn Operation,
    ) {
        operation.container(None, layout.bounds());
        operation.traverse(&mut |operation| {
            for ((child, tree), layout) in self.children.iter_mut().zip(&mut tree.children).zip(layout.children()) {
                child.as_widget_mut().operate(tree, layout, renderer, operation);
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
        for ((child, tree), layout) in self.children.iter_mut().zip(&mut tree.children).zip(layout.children()) {
            child.as_widget_mut().update(tree, event, layout, cursor, renderer, clipboard, shell, viewport);
        }
    }

    fn mouse_interaction(
        &self,
        tree: &Tree,
        layout: Layout<'_>,
        cursor: mouse::Cursor,
        viewport: &Rectangle,
        renderer: &iced::Renderer,
    ) -> mouse::Interaction {
        let all = self.children.iter().zip(&tree.children).zip(layout.children());
        all.map(|((child, tree), layout)| child.as_widget().mouse_interaction(tree, layout, cursor, viewport, renderer))
            .max()
            .unwrap_or_default()
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
        for ((child, tree), layout) in self.children.iter().zip(&tree.children).zip(layout.children()) {
            child.as_widget().draw(tree, renderer, theme, style, layout, cursor, viewport);
        }
    }

    fn overlay<'b>(
        &'b mut self,
        tree: &'b mut Tree,
        layout: Layout<'b>,
        renderer: &iced::Renderer,
        viewport: &Rectangle,
        translation: Vector,
    ) -> Option<overlay::Element<'b, Message, Theme, iced::Renderer>> {
        overlay::from_children(&mut self.children, tree, layout, renderer, viewport, translation)
    }
}

impl<'a, Message: 'a> From<Places<'a, Message>> for Element<'a, Message> {
    fn from(places: Places<'a, Message>) -> Self {
        Self::new(places)
    }
}
