// One tile: three planes (I420, BT.601, limited range) become the colours of the target, cut to the tile's shape, turned
// round where oneself looks, with round corners. One triangle covers the viewport, which is the tile.

struct Tile {
    // The tile and the part of it that shows the picture, in device pixels.
    size: vec2<f32>,
    shown: vec2<f32>,
    // How much of the picture is shown.
    part: vec2<f32>,
    // How much of the picture one device pixel covers.
    step: vec2<f32>,
    // -1 turns left and right round.
    facing: f32,
    radius: f32,
    // 1: the target takes linear light.
    linear: f32,
    // 1: the picture is much larger than the tile, so four samples are averaged.
    average: f32,
}

@group(0) @binding(0) var luma: texture_2d<f32>;
@group(0) @binding(1) var blue: texture_2d<f32>;
@group(0) @binding(2) var red: texture_2d<f32>;
@group(0) @binding(3) var smooth_: sampler;
@group(1) @binding(0) var<uniform> tile: Tile;

struct Corner {
    @builtin(position) position: vec4<f32>,
    // From the middle of the tile, in device pixels.
    @location(0) place: vec2<f32>,
}

@vertex
fn vertex(@builtin(vertex_index) index: u32) -> Corner {
    let corner = vec2<f32>(f32((index << 1u) & 2u), f32(index & 2u));
    var out: Corner;
    out.position = vec4<f32>(corner * 2.0 - 1.0, 0.0, 1.0);
    out.place = vec2<f32>(corner.x - 0.5, 0.5 - corner.y) * tile.size;
    return out;
}

fn planes(at: vec2<f32>) -> vec3<f32> {
    return vec3<f32>(
        textureSampleLevel(luma, smooth_, at, 0.0).r,
        textureSampleLevel(blue, smooth_, at, 0.0).r,
        textureSampleLevel(red, smooth_, at, 0.0).r,
    );
}

// BT.601, limited range: luma 16 to 235, colours 16 to 240 around 128.
fn colour(yuv: vec3<f32>) -> vec3<f32> {
    let y = (yuv.x - 16.0 / 255.0) * (255.0 / 219.0);
    let u = yuv.y - 128.0 / 255.0;
    let v = yuv.z - 128.0 / 255.0;
    return clamp(
        vec3<f32>(y + 1.596027 * v, y - 0.391762 * u - 0.812968 * v, y + 2.017232 * u),
        vec3<f32>(0.0),
        vec3<f32>(1.0),
    );
}

fn light(srgb: vec3<f32>) -> vec3<f32> {
    let low = srgb / 12.92;
    let high = pow((srgb + 0.055) / 1.055, vec3<f32>(2.4));
    return select(high, low, srgb <= vec3<f32>(0.04045));
}

@fragment
fn fragment(in: Corner) -> @location(0) vec4<f32> {
    // How far inside the rounded rectangle of the picture: half a pixel of it is its smooth edge.
    let inner = abs(in.place) - tile.shown * 0.5 + tile.radius;
    let outside = length(max(inner, vec2<f32>(0.0))) + min(max(inner.x, inner.y), 0.0) - tile.radius;
    let alpha = clamp(0.5 - outside, 0.0, 1.0);

    let at = in.place / tile.shown * tile.part * vec2<f32>(tile.facing, 1.0) + 0.5;
    var yuv = planes(at);
    if tile.average > 0.5 {
        let quarter = tile.step * 0.25;
        yuv = 0.25 * (planes(at - quarter) + planes(at + quarter)
            + planes(at + vec2<f32>(quarter.x, -quarter.y)) + planes(at + vec2<f32>(-quarter.x, quarter.y)));
    }
    var rgb = colour(yuv);
    if tile.linear > 0.5 {
        rgb = light(rgb);
    }
    return vec4<f32>(rgb * alpha, alpha);
}
