//! `fuzz-seeds FOLDER`: writes the seeds of every entry into a folder of its own, for the fuzzer to start from.

use std::{env, fs, io, path::Path};

use fuzz::{seeds, targets};

fn main() -> io::Result<()> {
    let folder = env::args().nth(1).unwrap_or_else(|| "seeds".to_owned());
    for target in targets::ALL {
        let folder = Path::new(&folder).join(target.name);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in seeds::of(target.name) {
            fs::write(folder.join(name), bytes)?;
        }
    }
    Ok(())
}
