export { type ClientConfig, clientSessionConfig, type DnsHandling, loadClientConfig, type RouteChoice } from './config/client-config.ts'
export { type GatewayConfig, gatewaySessionConfig, loadGatewayConfig, type TcpListener, type UdpListener } from './config/gateway-config.ts'
export { type ConfigIssue, formatIssue } from './config/issues.ts'
export type { CryptoProviderName, SharedConfig, TunConfig } from './config/shared-schema.ts'
export { type KeyPath, locateKeys, type TomlLocator } from './config/toml-locator.ts'
export { isAnswering, requestDown, requestStatus } from './control/control-client.ts'
export { type ControlHandlers, type ControlServer, openControlSocket } from './control/control-server.ts'
export type { ControlReply, ControlRequest, HostStatus, ProgramStatus, TimedEvent } from './control/protocol.ts'
export { controlPathIn, defaultControlPath, journalPath } from './control/socket-path.ts'
export { HostError, type HostErrorCode, type HostErrorContext, isHostError } from './host-error.ts'
export { ClientNetwork, type ClientNetworkConfig, type ClientNetworkOptions, planRoutes, type RoutePlan } from './network/client-network.ts'
export { type CommandResult, type CommandRunner, runCommand } from './network/commands.ts'
export { GatewayNetwork, type GatewayNetworkConfig } from './network/gateway-network.ts'
export { HostNetwork, type HostNetworkOptions, recover } from './network/host-network.ts'
export { Journal, type JournalEntry, type JournalOwner, journalOwner, readJournal, type WrittenJournal } from './network/journal.ts'
export type { Action, Lifetime, Step } from './network/step.ts'
export { type CheckConfigOptions, checkConfig, loadOrTell } from './program/check-config.ts'
export { dialledCarriers } from './program/client-carriers.ts'
export { type ClientUpOptions, clientUp } from './program/client-up.ts'
export {
  type CommandParser,
  type MainCommand,
  type MainOptions,
  type OptionParser,
  type ProgramDefinition,
  runCommandLine,
  type WrittenOptions,
} from './program/command-line.ts'
export { type ControlCommandOptions, downCommand, statusCommand } from './program/control-commands.ts'
export { clientPlan, gatewayPlan } from './program/dry-run.ts'
export { type GatewayRunOptions, gatewayRun } from './program/gateway-run.ts'
export { type ProgramPorts, type RunningSession, type SessionOptions, systemPorts } from './program/ports.ts'
export { type ProcessIo, processIo } from './program/process-io.ts'
export { tuneV8 } from './program/tune-v8.ts'
export { describeEvent, LEVELS, type Level, levelOf } from './report/event-words.ts'
export { EXIT, type ExitCode } from './report/exit-codes.ts'
export { type Output, Reporter, type ReporterOptions } from './report/reporter.ts'
export { describeStatus } from './report/status-words.ts'
export {
  type ChosenAeadProvider,
  chooseAeadProvider,
  connectTcp,
  cryptoPort,
  listenTcp,
  nodeClock,
  nodeRandom,
  type OpenedTun,
  openTunDevice,
  openUdpSockets,
  type Runtime,
  type RuntimeOptions,
  startRuntime,
  startRuntimeWith,
  type TcpListenerConfig,
  type TunChoice,
  type UdpListenerConfig,
  type UdpReceivers,
  type UdpSockets,
} from './run/index.ts'
