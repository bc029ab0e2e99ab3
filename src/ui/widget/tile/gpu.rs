//! The path of a tile on a GPU: the three planes of its picture lie in textures that stay for as long as a tile shows the
//! track, are written only when there is a new picture (1.5 bytes a pixel, no conversion by the processor), and
//! `video.wgsl` makes colours of them.

use std::collections::BTreeMap;
use std::fmt;

use iced::widget::shader::{Pipeline, Primitive, Viewport};
use iced::{Rectangle, wgpu};

use crate::engine::pictures::{Facing, Fit, Key, Picture, PixelSize};

/// One tile, to be drawn now.
pub struct Drawing {
    /// The number of the place that the picture comes from, and the track.
    pub track: (u64, Key),
    /// The tile.
    pub viewer: u64,
    /// What it shows.
    pub picture: Picture,
    /// How large it is on screen.
    pub size: PixelSize,
    /// How it is filled.
    pub fit: Fit,
    /// Which way round.
    pub facing: Facing,
    /// Of its corners, in device pixels.
    pub radius: f32,
}

// A picture is too much for a log.
impl fmt::Debug for Drawing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Drawing({:?}, picture {})", self.track, self.picture.sequence)
    }
}

/// Four bytes each, as the struct of `video.wgsl`.
type Values = [f32; 12];

impl Drawing {
    fn values(&self, linear: Linear) -> Values {
        let frame = &self.picture.frame;
        let (across, down) = (f32::from(frame.width()), f32::from(frame.height()));
        let (width, height) = (f32::from(self.size.width.max(1)), f32::from(self.size.height.max(1)));
        let (smaller, larger) = {
            let (x, y) = (width / across, height / down);
            (x.min(y), x.max(y))
        };
        let scale = match self.fit {
            Fit::Cover => larger,
            Fit::Contain => smaller,
        };
        let (shown_x, shown_y) = ((across * scale).min(width), (down * scale).min(height));
        let (part_x, part_y) = (shown_x / (across * scale), shown_y / (down * scale));
        let facing = if self.facing == Facing::Mirrored { -1.0 } else { 1.0 };
        let linear = if linear == Linear::Yes { 1.0 } else { 0.0 };
        let average = if scale < 0.67 { 1.0 } else { 0.0 };
        let radius = self.radius.min(shown_x / 2.0).min(shown_y / 2.0);
        let step = (part_x / shown_x, part_y / shown_y);
        [width, height, shown_x, shown_y, part_x, part_y, step.0, step.1, facing, radius, linear, average]
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Linear {
    Yes,
    No,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Used {
    Yes,
    No,
}

/// The textures of one track.
struct Track {
    size: (u16, u16),
    sequence: u64,
    planes: [wgpu::Texture; 3],
    group: wgpu::BindGroup,
    used: Used,
}

/// What the shader is told of one tile.
struct Spot {
    values: Values,
    buffer: wgpu::Buffer,
    group: wgpu::BindGroup,
    used: Used,
}

/// What all tiles share. As many tracks and spots as were drawn in the last frame.
pub struct Tiles {
    pipeline: wgpu::RenderPipeline,
    of_track: wgpu::BindGroupLayout,
    of_spot: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
    linear: Linear,
    tracks: BTreeMap<(u64, Key), Track>,
    spots: BTreeMap<u64, Spot>,
    /// Pictures written so far.
    uploads: u64,
}

impl fmt::Debug for Tiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tiles({} tracks, {} uploads)", self.tracks.len(), self.uploads)
    }
}

impl Tiles {
    fn track(&self, device: &wgpu::Device, (width, height): (u16, u16)) -> Track {
        let plane = |halved: u32| {
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some("plane"),
                size: extent(width, height, halved),
                mip_level_count: 1,
                sample_count: 1,
                dimension: wgpu::TextureDimension::D2,
                format: wgpu::TextureFormat::R8Unorm,
                usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
                view_formats: &[],
            })
        };
        let planes = [plane(0), plane(1), plane(1)];
        let views = planes.each_ref().map(|plane| plane.create_view(&wgpu::TextureViewDescriptor::default()));
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("track"),
            layout: &self.of_track,
            entries: &[
                entry(0, wgpu::BindingResource::TextureView(&views[0])),
                entry(1, wgpu::BindingResource::TextureView(&views[1])),
                entry(2, wgpu::BindingResource::TextureView(&views[2])),
                entry(3, wgpu::BindingResource::Sampler(&self.sampler)),
            ],
        });
        Track { size: (width, height), sequence: 0, planes, group, used: Used::Yes }
    }

    fn spot(&self, device: &wgpu::Device) -> Spot {
        let values = Values::default();
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("tile"),
            size: std::mem::size_of::<Values>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("tile"),
            layout: &self.of_spot,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }],
        });
        Spot { values, buffer, group, used: Used::Yes }
    }
}

fn extent(width: u16, height: u16, halved: u32) -> wgpu::Extent3d {
    let (width, height) = (u32::from(width) >> halved, u32::from(height) >> halved);
    wgpu::Extent3d { width, height, depth_or_array_layers: 1 }
}

impl Track {
    fn write(&mut self, queue: &wgpu::Queue, picture: &Picture) {
        let (width, height) = self.size;
        let (y, u, v) = picture.frame.planes();
        for (plane, (bytes, halved)) in self.planes.iter().zip([(y, 0), (u, 1), (v, 1)]) {
            let size = extent(width, height, halved);
            let layout =
                wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(size.width), rows_per_image: None };
            queue.write_texture(plane.as_image_copy(), bytes, layout, size);
        }
        self.sequence = picture.sequence;
    }
}

impl Pipeline for Tiles {
    fn new(device: &wgpu::Device, _queue: &wgpu::Queue, format: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("video"),
            source: wgpu::ShaderSource::Wgsl(include_str!("video.wgsl").into()),
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::VERTEX_FRAGMENT,
            ty,
            count: None,
        };
        let plane = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let of_track = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("track"),
            entries: &[
                entry(0, plane),
                entry(1, plane),
                entry(2, plane),
                entry(3, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
            ],
        });
        let uniform = wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Uniform,
            has_dynamic_offset: false,
            min_binding_size: None,
        };
        let of_spot = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("tile"),
            entries: &[entry(0, uniform)],
        });
        let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("video"),
            bind_group_layouts: &[&of_track, &of_spot],
            push_constant_ranges: &[],
        });
        let target = wgpu::ColorTargetState {
            format,
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            write_mask: wgpu::ColorWrites::ALL,
        };
        let pipeline = device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
            label: Some("video"),
            layout: Some(&layout),
            vertex: wgpu::VertexState {
                module: &module,
                entry_point: Some("vertex"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                buffers: &[],
            },
            fragment: Some(wgpu::FragmentState {
                module: &module,
                entry_point: Some("fragment"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                targets: &[Some(target)],
            }),
            primitive: wgpu::PrimitiveState::default(),
            depth_stencil: None,
            multisample: wgpu::MultisampleState::default(),
            multiview: None,
            cache: None,
        });
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("video"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        Self {
            pipeline,
            of_track,
            of_spot,
            sampler,
            linear: if format.is_srgb() { Linear::Yes } else { Linear::No },
            tracks: BTreeMap::new(),
            spots: BTreeMap::new(),
            uploads: 0,
        }
    }

    fn trim(&mut self) {
        self.tracks.retain(|_, track| std::mem::replace(&mut track.used, Used::No) == Used::Yes);
        self.spots.retain(|_, spot| std::mem::replace(&mut spot.used, Used::No) == Used::Yes);
    }
}

impl Primitive for Drawing {
    type Pipeline = Tiles;

    fn prepare(
        &self,
        tiles: &mut Tiles,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        _bounds: &Rectangle,
        _viewport: &Viewport,
    ) {
        let frame = &self.picture.frame;
        let size = (frame.width(), frame.height());
        // A texture that the device refuses would end the program: such a tile stays empty.
        if u32::from(size.0.max(size.1)) > device.limits().max_texture_dimension_2d {
            tiles.tracks.remove(&self.track);
            return;
        }
        if tiles.tracks.get(&self.track).is_none_or(|track| track.size != size) {
            let track = tiles.track(device, size);
            tiles.tracks.insert(self.track, track);
        }
        if let Some(track) = tiles.tracks.get_mut(&self.track) {
            track.used = Used::Yes;
            if track.sequence != self.picture.sequence {
                track.write(queue, &self.picture);
                tiles.uploads += 1;
            }
        }
        if !tiles.spots.contains_key(&self.viewer) {
            let spot = tiles.spot(device);
            tiles.spots.insert(self.viewer, spot);
        }
        if let Some(spot) = tiles.spots.get_mut(&self.viewer) {
            spot.used = Used::Yes;
            let values = self.values(tiles.linear);
            if spot.values != values {
                spot.values = values;
                let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_ne_bytes()).collect();
                queue.write_buffer(&spot.buffer, 0, &bytes);
            }
        }
    }

    fn draw(&self, tiles: &Tiles, pass: &mut wgpu::RenderPass<'_>) -> bool {
        if let (Some(track), Some(spot)) = (tiles.tracks.get(&self.track), tiles.spots.get(&self.viewer)) {
            pass.set_pipeline(&tiles.pipeline);
            pass.set_bind_group(0, &track.group, &[]);
            pass.set_bind_group(1, &spot.group, &[]);
            pass.draw(0..3, 0..1);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use iced::Size;
    use iced::futures::executor::block_on;

    use super::*;
    use crate::frame::Pool;
    use crate::id::PeerId;

    fn device() -> (wgpu::Device, wgpu::Queue) {
        let instance = wgpu::Instance::new(&wgpu::InstanceDescriptor::default());
        let adapter = block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
        let adapter = adapter.expect("a GPU, or the package mesa-vulkan-drivers");
        block_on(adapter.request_device(&wgpu::DeviceDescriptor::default())).expect("a device")
    }

    fn drawing(track: u8, viewer: u64, sequence: u64, size: (u16, u16)) -> Drawing {
        Drawing {
            track: (1, Key::camera(PeerId::from_bytes([track; 32]))),
            viewer,
            picture: Picture { frame: Arc::new(Pool::new(0).picture(size.0, size.1)), sequence },
            size: PixelSize { width: 100, height: 100 },
            fit: Fit::Cover,
            facing: Facing::Straight,
            radius: 0.0,
        }
    }

    #[test]
    fn a_picture_goes_up_once_and_textures_go_with_their_tiles() {
        let (device, queue) = device();
        let mut tiles = Tiles::new(&device, &queue, wgpu::TextureFormat::Bgra8UnormSrgb);
        assert_eq!(tiles.linear, Linear::Yes);
        let viewport = Viewport::with_physical_size(Size::new(200, 200), 1.0);
        let draw = |tiles: &mut Tiles, drawings: &[Drawing]| {
            for drawing in drawings {
                drawing.prepare(tiles, &device, &queue, &Rectangle::default(), &viewport);
            }
            tiles.trim();
            (tiles.uploads, tiles.tracks.len(), tiles.spots.len())
        };
        // Two tiles of one track share its textures.
        let both = |sequence| [drawing(1, 1, sequence, (64, 36)), drawing(1, 2, sequence, (64, 36))];
        assert_eq!(draw(&mut tiles, &both(5)), (1, 1, 2));
        assert_eq!(draw(&mut tiles, &both(5)), (1, 1, 2), "nothing is new");
        assert_eq!(draw(&mut tiles, &both(6)), (2, 1, 2));
        assert_eq!(draw(&mut tiles, &[drawing(2, 3, 7, (64, 36)), drawing(1, 1, 6, (64, 36))]), (3, 2, 2));
        assert_eq!(draw(&mut tiles, &[drawing(1, 1, 8, (128, 72))]), (4, 1, 1), "another size, other textures");
        assert_eq!(draw(&mut tiles, &[]), (4, 0, 0), "no tile, no texture");
    }

    #[test]
    fn the_shader_is_told_what_is_cut_off() {
        let check = |drawing: &Drawing, shown: (f32, f32), part: (f32, f32)| {
            let values = drawing.values(Linear::No);
            let near = |a: f32, b: f32| assert!((a - b).abs() < 1e-3, "{values:?}");
            near(values[2], shown.0);
            near(values[3], shown.1);
            near(values[4], part.0);
            near(values[5], part.1);
        };
        let wide = drawing(1, 1, 1, (200, 100));
        check(&wide, (100.0, 100.0), (0.5, 1.0));
        check(&Drawing { fit: Fit::Contain, ..drawing(1, 1, 1, (200, 100)) }, (100.0, 50.0), (1.0, 1.0));
        check(&drawing(1, 1, 1, (100, 400)), (100.0, 100.0), (1.0, 0.25));
        assert!(wide.values(Linear::No)[11] < 0.5 && drawing(1, 1, 1, (400, 400)).values(Linear::No)[11] > 0.5);
    }
}
