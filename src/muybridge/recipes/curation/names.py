"""What curation can do, by name, without importing what does it: help is answered at once."""

from collections.abc import Mapping
from types import MappingProxyType

# In the order in which they are run.
STAGE_SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "borders": "crop bars and blurred sides, find black frames",
        "subtitles": "crop captions, measure and read the text that is left",
        "marks": "find watermarks and logos, crop what can be cropped",
        "blur": "measure sharpness and the size up to which there is detail",
        "quality": "judge damage and looks",
        "dover": "judge as people do, by DOVER or another network of films in a file of yours",
        "motion": "measure how fast the picture, the camera and the subject move",
        "camera": "name the camera's movement",
        "people": "count faces and people, find nudity",
        "sound": "tell silence, speech, music and effects, and whether they fit the picture",
        "embedding": "say what a clip shows as a vector, for copies and concepts",
        "privacy": "blur faces where consent is not given",
    }
)
# What is not taken unless it is asked for, because it is fetched or needs a package more.
EXTRA_SUMMARIES: Mapping[str, str] = MappingProxyType(
    {
        "transnet": "TransNetV2 beside our own shot detection (fetched, 32 MB)",
        "brisque": "BRISQUE beside our own judge of quality (fetched, 0.1 MB)",
        "faces": "faces found by CenterFace: they are counted, and blurred without consent (fetched, 7 MB)",
        "bodies": "people found by NanoDet: they are counted, seen from wherever (fetched, 145 MB, of which 8 stay)",
        "voice": "Silero's detector of voices: it tells speech from other sounds (fetched, 11 MB)",
        "nsfw": "open_nsfw's score of nudity (fetched, 22 MB)",
        "ocr": "captions cropped and text read by RapidOCR's networks, which its package brings; else text is measured",
    }
)
