//! The floor under every durable call: how long the disk takes to make 4 KiB last.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use crate::Failure;

const TIMES: usize = 200;
const BLOCK: [u8; 4096] = [0x5A; 4096];

/// Appends 4 KiB and calls `fdatasync`, 200 times, on the file system of `directory`. Returns all times in microseconds, sorted.
pub(crate) fn fdatasync_us(directory: &Path) -> Result<Vec<f64>, Failure> {
    std::fs::create_dir_all(directory)
        .map_err(|wrong| Failure::of(&format!("creating {}", directory.display()), wrong))?;
    let path = directory.join(format!("fdatasync-{}", std::process::id()));
    let wrong =
        |wrong: std::io::Error| Failure::of(&format!("measuring the disk at {}", path.display()), wrong);
    let mut file = File::create(&path).map_err(wrong)?;
    let mut times = Vec::with_capacity(TIMES);
    let measured = (0..TIMES).try_for_each(|_| {
        let begin = Instant::now();
        file.write_all(&BLOCK)?;
        file.sync_data()?;
        times.push((begin.elapsed().as_secs_f64() * 1e7).round() / 10.0);
        Ok(())
    });
    let removed = std::fs::remove_file(&path);
    measured.and(removed).map_err(wrong)?;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The middle value; 0 of nothing. With an even number of values, the upper of the two.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_taken_from_any_order() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn the_disk_is_measured_and_left_clean() {
        let directory = std::env::temp_dir().join(format!("bench-disk-{}", std::process::id()));
        let times = fdatasync_us(&directory).unwrap();
        assert_eq!(times.len(), TIMES);
        assert!(times.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(std::fs::read_dir(&directory).unwrap().count(), 0);
        std::fs::remove_dir(&directory).unwrap();
    }
}
