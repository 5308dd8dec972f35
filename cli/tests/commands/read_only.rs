//! A disk that cannot be written: said with the path and the reason; what only reads still reads.

use crate::{
    house::House,
    small_disk::{Disk, may_mount},
};

/// Control: the same commands on the same disk before it was made read-only.
#[test]
fn a_disk_that_cannot_be_written_is_named() {
    if !may_mount() {
        return;
    }
    let house = House::new();
    let disk = Disk::mount(house.dir(), 160).unwrap();
    house.done(&["init", "--officers", "ada,grace,joan"]);
    assert_eq!(house.serve().end(), Some(0));
    house.done(&["verify"]);
    disk.make_read_only();
    let ledger = house.dir().join("ledger").display().to_string();
    let said = house.fails(1, &ledger, &["serve"]);
    assert!(said["error"].as_str().unwrap().contains("Read-only"), "{said}");
    let said = house.fails(1, "Read-only", &["rebuild"]);
    assert!(said["error"].as_str().unwrap().contains(&ledger), "{said}");
    house.done(&["verify"]);
    let export = house.dir().join("audit.txt").display().to_string();
    house.fails(1, &export, &["export", "--to", &export]);
    let elsewhere = house.folder.path().join("audit.txt").display().to_string();
    house.done(&["export", "--to", &elsewhere]);

    let empty = House::new();
    let other = Disk::mount(empty.dir(), 4).unwrap();
    other.make_read_only();
    let file = empty.dir().join("mandatum.toml").display().to_string();
    let said = empty.fails(1, &file, &["init", "--officers", "ada,grace,joan"]);
    assert!(said["error"].as_str().unwrap().contains("Read-only"), "{said}");
}
