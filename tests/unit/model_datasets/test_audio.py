import io
import tempfile
import wave
from pathlib import Path

import pytest

from rafiki.model import InvalidDatasetFormatException, dataset

HEADER = "wav_filename,wav_filesize,transcript\n"


def wav(n_samples: int) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        file.writeframes(b"\1\0" * n_samples)
    return data.getvalue()


@pytest.fixture
def two_files(make_zip) -> str:
    rows = "clips/one.wav,244,hello there\ntwo.WAV,84,\n"
    return make_zip(
        {"audios.csv": HEADER + rows, "clips/one.wav": wav(100), "two.WAV": wav(20), "clips/unused.wav": wav(5)}
    )


def test_gives_a_frame_and_the_files_it_names(two_files: str, tmp_path: Path) -> None:
    audios = dataset.load_dataset_of_audio_files(two_files, str(tmp_path / "new" / "folder"))
    assert list(audios.df.columns) == ["wav_filename", "wav_filesize", "transcript"]
    assert audios.df["transcript"].tolist() == ["hello there", ""]
    assert audios.df["wav_filesize"].tolist() == [244, 84]
    assert (audios.size, len(audios), audios.path) == (2, 2, two_files)
    # A path opens as it is, and also joined to the folder that the template gave.
    for path, content in zip(audios.df["wav_filename"], (wav(100), wav(20)), strict=True):
        assert Path(path).read_bytes() == content
        assert (tmp_path / "elsewhere" / path).read_bytes() == content
    extracted = sorted(path.name for path in (tmp_path / "new" / "folder").rglob("*") if path.is_file())
    assert extracted == ["one.wav", "two.WAV"]


def test_the_folder_may_be_a_temporary_one_a_path_or_relative(two_files: str, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with tempfile.TemporaryDirectory() as name:
        pass
    folder = tempfile.TemporaryDirectory()
    for given, place in ((folder, Path(folder.name)), (tmp_path / "p", tmp_path / "p"), ("rel", tmp_path / "rel")):
        audios = dataset.load_dataset_of_audio_files(two_files, given)
        assert Path(audios.df["wav_filename"][0]) == place / "clips" / "one.wav"
        assert Path(audios.df["wav_filename"][0]).is_file()
    folder.cleanup()
    assert not Path(name).exists()


def test_loading_again_writes_anew(two_files: str, tmp_path: Path) -> None:
    audios = dataset.load_dataset_of_audio_files(two_files, str(tmp_path / "out"))
    Path(audios.df["wav_filename"][0]).write_bytes(b"damaged")
    audios = dataset.load_dataset_of_audio_files(two_files, str(tmp_path / "out"))
    assert Path(audios.df["wav_filename"][0]).read_bytes() == wav(100)


def test_text_stays_text_and_further_columns_are_kept(make_zip, tmp_path: Path) -> None:
    text = 'speaker,transcript,wav_filename,wav_filesize\n007,null,a.wav,5\n008,"nan, she said",a.wav,5\n'
    path = make_zip({"audios.csv": text, "a.wav": wav(0)})
    frame = dataset.load_dataset_of_audio_files(path, str(tmp_path)).df
    assert list(frame.columns) == ["speaker", "transcript", "wav_filename", "wav_filesize"]
    assert frame["transcript"].tolist() == ["null", "nan, she said"]
    assert frame["speaker"].tolist() == ["007", "008"]


@pytest.mark.parametrize(
    ("index", "expected"),
    [
        ("", ["row 1", "'wav_filename'"]),
        (HEADER, ["no rows"]),
        ("wav_filename,transcript\na.wav,x\n", ["row 1", "'wav_filesize'"]),
        (HEADER + "a.wav,5,x\nb.wav,5,x\n", ["row 3", "'wav_filename'", "'b.wav'"]),
        (HEADER + "a.wav,many,x\n", ["row 2", "'wav_filesize'", "'many'"]),
        (HEADER + "a.wav,5\n", ["row 2", "'transcript'"]),
        (HEADER + "a.txt,5,x\n", ["row 2", "'wav_filename'", ".wav"]),
        (HEADER + "../a.wav,5,x\n", ["row 2", "'wav_filename'", "inside the archive"]),
        (HEADER + "/tmp/a.wav,5,x\n", ["row 2", "'wav_filename'", "relative"]),
        (HEADER + "x/../../a.wav,5,x\n", ["row 2", "'wav_filename'", "inside the archive"]),
    ],
)
def test_says_what_is_wrong_and_extracts_nothing(make_zip, tmp_path: Path, index: str, expected: list[str]) -> None:
    members = {"audios.csv": index, "a.wav": wav(1), "a.txt": b"", "../a.wav": wav(1), "/tmp/a.wav": wav(1)}
    with pytest.raises(InvalidDatasetFormatException) as error:
        dataset.load_dataset_of_audio_files(make_zip(members), str(tmp_path / "out" / "deep"))
    for part in ["audios.csv", *expected]:
        assert part in str(error.value)
    assert not (tmp_path / "out").exists()


def test_a_bound_on_what_a_small_archive_expands_to(make_zip, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("rafiki.model.dataset_archive.MAX_READ_FLOOR", 1 << 20)
    path = make_zip({"audios.csv": HEADER + "a.wav,5,x\n", "a.wav": b"\0" * 5_000_000})
    with pytest.raises(InvalidDatasetFormatException, match="bomb"):
        dataset.load_dataset_of_audio_files(path, str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_damaged_members_leave_no_file(two_files: str, tmp_path: Path) -> None:
    data = bytearray(Path(two_files).read_bytes())
    place = data.find(b"clips/one.wav") + 20
    data[place : place + 8] = b"\xff" * 8
    Path(two_files).write_bytes(data)
    with pytest.raises(InvalidDatasetFormatException, match=r"clips/one\.wav.*intact"):
        dataset.load_dataset_of_audio_files(two_files, str(tmp_path / "out"))
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
