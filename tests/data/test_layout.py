"""Which files of a data set's folders are its videos and audio, and what is left out."""

from data.layout import audio_by_name, left_out, videos_by_name

CAMERAS = ["a.MTS", "b.m2t", "c.qt", "d.insv", "e.MOD", "f.3gpp"]


def test_endings_of_cameras_and_dangling_links_are_videos_and_the_rest_is_named(tmp_path):
    (tmp_path / "video/flute").mkdir(parents=True)
    (tmp_path / "audio").mkdir()
    for name in (*CAMERAS, "a.LRV", "noending", "i.mp4.part", ".hidden.mp4", "caf\udce9.jpg", *map(str, range(10, 20))):
        (tmp_path / "video" / name).touch()
    (tmp_path / "video/dangling.mp4").symlink_to("nowhere.mp4")
    (tmp_path / "audio/a.wma").touch()
    (tmp_path / "audio/a.WAV").touch()
    assert sorted(videos_by_name(tmp_path)) == ["a", "b", "c", "d", "dangling", "e", "f"]
    assert [*audio_by_name(tmp_path)] == ["a"]
    of_video, of_audio = left_out(tmp_path)
    numbers = ", ".join(f"'{number}'" for number in range(10, 20))
    assert of_video == f"left out of {tmp_path / 'video'}, as their endings are not known: {numbers} and 5 more"
    for number in range(10, 20):
        (tmp_path / f"video/{number}").unlink()
    assert left_out(tmp_path)[0].endswith(" known: 'a.LRV', 'caf\\udce9.jpg', 'flute', 'i.mp4.part', 'noending'")
    assert of_audio == f"left out of {tmp_path / 'audio'}, as their endings are not known: 'a.wma'"


def test_nothing_is_left_out_of_absent_folders_and_of_folders_with_media_only(tmp_path):
    assert left_out(tmp_path) == [] and videos_by_name(tmp_path) == {}
    (tmp_path / "video").mkdir()
    (tmp_path / "video/a.mp4").touch()
    assert left_out(tmp_path) == []
