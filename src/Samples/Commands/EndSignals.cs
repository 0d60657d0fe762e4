using System.Runtime.InteropServices;

namespace Samples.Commands;

/// <summary>
/// Turns Ctrl+C, a request to terminate (SIGTERM, as when a container stops) and a closed terminal (SIGHUP) into tokens: the first asks a command that can stop early to keep its
/// result so far; the next cancels the command, which then removes what it wrote; one more ends the process.
/// </summary>
internal sealed class EndSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new(), _cancel = new();
    private readonly bool _canStop;
    private readonly PosixSignalRegistration[] _registrations;

    /// <summary>Starts to handle signals; only a command that uses <see cref="StopToken"/> can stop.</summary>
    public EndSignals(bool canStop = false)
    {
        _canStop = canStop;
        PosixSignal[] signals = [PosixSignal.SIGINT, PosixSignal.SIGTERM, PosixSignal.SIGHUP];
        _registrations = [.. signals.Select(signal => PosixSignalRegistration.Create(signal, OnSignal))];
    }

    /// <summary>Asks the command to stop early and keep its result so far.</summary>
    public CancellationToken StopToken => _stop.Token;

    /// <summary>Cancels the command; nothing more is kept.</summary>
    public CancellationToken CancellationToken => _cancel.Token;

    /// <summary>Does what the next signal does.</summary>
    public void Receive()
    {
        if (_canStop && !_stop.IsCancellationRequested)
            _stop.Cancel();
        else if (!_cancel.IsCancellationRequested)
            _cancel.Cancel();
        else
            Environment.Exit(ExitCode.Cancelled);  // not a kill: unfinished output is removed on exit
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
            registration.Dispose();
        _stop.Dispose();
        _cancel.Dispose();
    }

    private void OnSignal(PosixSignalContext context)
    {
        context.Cancel = true;    // the runtime's own way is to end the process
        Receive();
    }
}
