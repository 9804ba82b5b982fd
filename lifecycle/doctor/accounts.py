"""What belongs to accounts elsewhere: Modal, the Hugging Face Hub, Weights & Biases."""

import asyncio
from importlib.util import find_spec

from lifecycle.compute.remote import require_reachable, translated
from lifecycle.doctor.check import Check, State, bad, good, unused
from lifecycle.settings import LifecycleSettings
from lifecycle.wandb_session import Standing
from registry.errors import AutosortError, ComputeUnavailable
from registry.settings import RegistrySettings

MODAL_SECONDS = 5.0
_UNAUTHORIZED = 401


def check_modal(settings: LifecycleSettings) -> Check:
    """Whether work can be sent to Modal: the package, a token, and the app. Where work runs here, nothing is bad."""
    state = State.BAD if settings.compute == "modal" else State.UNUSED
    if find_spec("modal") is None:
        return Check("modal", state, "The package modal is not installed.", _unless(settings, "modal"))
    if not _has_modal_token():
        return Check("modal", state, "There is no token.", "Run `modal token new` to use Modal.")
    try:
        _find_app(settings.modal_app)
    except AutosortError as error:
        return Check("modal", state, error.fact, error.remedy or None)
    used = "" if settings.compute == "modal" else "; AUTOSORT_COMPUTE is local, so nothing is sent there"
    return good("modal", f"The token is taken and the app {settings.modal_app!r} is deployed{used}.")


def _unless(settings: LifecycleSettings, extra: str) -> str:
    instead = ", or set AUTOSORT_COMPUTE=local" if settings.compute == "modal" else " to use it"
    return f"Run `pip install 'autosort-lifecycle[{extra}]'`{instead}."


def _has_modal_token() -> bool:
    from modal.config import config

    return bool((config.get("token_id") and config.get("token_secret")) or config.get("oauth_refresh_token"))


def _find_app(name: str) -> None:
    """Find the app's function that trains.

    Raises:
        ComputeUnavailable: Modal does not answer, or not in time; its client, which would go on for long, is stopped.
        AutosortError: it is not there, or cannot be asked for.
    """
    import modal

    async def find() -> None:
        await asyncio.wait_for(modal.Function.from_name(name, "train").hydrate.aio(), MODAL_SECONDS)

    require_reachable()
    with translated(name):
        try:
            asyncio.run(find())
        except TimeoutError:
            raise ComputeUnavailable(
                f"Modal has not answered within {MODAL_SECONDS:.0f} s.",
                "Try again in a while; https://status.modal.com tells of outages.",
            ) from None


def check_hub() -> Check:
    """Whether the Hub knows the token, if there is one; `autosort publish` alone needs it."""
    from httpx2 import HTTPError
    from huggingface_hub import HfApi, constants, get_token
    from huggingface_hub.errors import HfHubHTTPError

    token, api = get_token(), HfApi(library_name="autosort")
    if not token:
        return unused(
            "hub", "There is no token.", "`hf auth login` or HF_TOKEN gives one; `autosort publish` needs it."
        )
    if constants.HF_HUB_OFFLINE:
        return unused("hub", "There is a token, and HF_HUB_OFFLINE keeps the Hub out of reach.")
    try:
        return good("hub", f"The token of {api.whoami(token)['name']} at {api.endpoint}.")
    except HfHubHTTPError as error:
        return judge_refusal(api.endpoint, error.response.status_code)
    except (HTTPError, OSError) as error:
        fact = f"The Hugging Face Hub at {api.endpoint} cannot be reached ({type(error).__name__})."
        return bad("hub", fact, "Check the network and HF_ENDPOINT; where there is to be none, set HF_HUB_OFFLINE=1.")


def judge_refusal(endpoint: str, status: int) -> Check:
    """What it means that the Hub does not say whose token it is."""
    if status == _UNAUTHORIZED:
        fact = f"The Hugging Face Hub at {endpoint} does not accept the token ({status})."
        return bad("hub", fact, f"Make one at {endpoint}/settings/tokens, and set HF_TOKEN or run `hf auth login`.")
    return bad(
        "hub", f"The Hugging Face Hub at {endpoint} is busy or out of order ({status}).", "Try again in a while."
    )


def judge_wandb(settings: LifecycleSettings, registry: RegistrySettings, standing: Standing) -> Check:
    """How a retraining would be tracked. Whether the key is right shows then: without it, the run is kept here."""
    if settings.tracking == "off":
        return unused("wandb", "AUTOSORT_TRACKING is off.")
    if standing.version is None:
        install = "Run `pip install 'autosort-lifecycle[wandb]'` to track retrainings."
        if standing.has_key:
            return bad("wandb", "WANDB_API_KEY is set, and wandb is not installed.", install)
        return unused("wandb", "wandb is not installed.", install)
    if not standing.modes:
        return unused("wandb", "WANDB_MODE is disabled.")
    if standing.modes[0] == "online":
        return good("wandb", f"wandb {standing.version}; there is a key, and runs are sent.")
    return good("wandb", f"wandb {standing.version}, offline; runs are kept in {registry.home / 'wandb'}.")
