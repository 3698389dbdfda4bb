"""The ground every service stands on: serving, health, interceptors, settings, logs, metrics and resilience."""

from __future__ import annotations

from services.chassis.app import App, Build, StartupError
from services.chassis.breaker import Breaker, BreakerOpenError
from services.chassis.channel import outgoing_metadata, stage_channel
from services.chassis.deadline import Deadline
from services.chassis.health import Component, Health
from services.chassis.interceptors import Call, CallInterceptor, Context, Method, check
from services.chassis.logs import configure_logs, get_logger
from services.chassis.server import serve, start
from services.chassis.settings import ServeSettings, ServiceSettings, SettingsError, load_settings, settings_or_exit

__all__ = [
    "App",
    "Breaker",
    "BreakerOpenError",
    "Build",
    "Call",
    "CallInterceptor",
    "Component",
    "Context",
    "Deadline",
    "Health",
    "Method",
    "ServeSettings",
    "ServiceSettings",
    "SettingsError",
    "StartupError",
    "check",
    "configure_logs",
    "get_logger",
    "load_settings",
    "outgoing_metadata",
    "serve",
    "settings_or_exit",
    "stage_channel",
    "start",
]
