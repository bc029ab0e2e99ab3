//! Colours that a camera shows, and whether they are the same at the other side: eight patches as of a test signal, over the
//! part of the test card that holds neither its stamp nor its disc.

/// Luma and both chromas of each patch, in the limited range: white, yellow, cyan, green, magenta, red, blue, black.
const PATCHES: [[u8; 3]; 8] = [
    [180, 128, 128],
    [162, 44, 142],
    [131, 156, 44],
    [112, 72, 58],
    [84, 184, 198],
    [65, 100, 212],
    [35, 212, 114],
    [16, 128, 128],
];

/// The columns and rows of a patch, in a plane of this size.
fn place(patch: usize, (width, height): (usize, usize)) -> (std::ops::Range<usize>, std::ops::Range<usize>) {
    let (column, row) = (patch % 4, patch / 4);
    let (left, top) = (width * (14 + 4 * column) / 32, height * (1 + 4 * row) / 18);
    (left..left + width / 8, top..top + height * 2 / 9)
}

/// The planes of an I420 picture: offset, width, height.
fn planes((width, height): (usize, usize)) -> [(usize, (usize, usize)); 3] {
    let (luma, half) = (width * height, (width / 2, height / 2));
    [(0, (width, height)), (luma, half), (luma + luma / 4, half)]
}

/// Draws the patches.
pub fn paint(picture: &mut [u8], size: (usize, usize)) {
    for (index, colour) in PATCHES.iter().enumerate() {
        for ((offset, plane), value) in planes(size).into_iter().zip(colour) {
            let (columns, rows) = place(index, plane);
            for row in rows {
                picture[offset + row * plane.0..][columns.clone()].fill(*value);
            }
        }
    }
}

/// The largest difference of a plane's mean over the inner half of a patch from its colour, of 255.
pub fn worst(picture: &[u8], size: (usize, usize)) -> f64 {
    let mut worst = 0.0_f64;
    for (index, colour) in PATCHES.iter().enumerate() {
        for ((offset, plane), value) in planes(size).into_iter().zip(colour) {
            let (columns, rows) = place(index, plane);
            let inner = |range: std::ops::Range<usize>| {
                let margin = range.len() / 4;
                range.start + margin..range.end - margin
            };
            let (columns, rows) = (inner(columns), inner(rows));
            let (mut sum, mut count) = (0.0, 0.0);
            for row in rows {
                for pixel in &picture[offset + row * plane.0..][columns.clone()] {
                    sum += f64::from(*pixel);
                    count += 1.0;
                }
            }
            worst = worst.max((sum / count - f64::from(*value)).abs());
        }
    }
    worst
}
