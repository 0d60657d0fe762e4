namespace Samples.Commands;

/// <summary>Ctrl+C: the first asks the command to end in order, the second ends the process.</summary>
internal sealed class Interrupt : IDisposable
{
    private readonly CancellationTokenSource _source = new();

    public Interrupt() => Console.CancelKeyPress += OnCancel;

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        Console.CancelKeyPress -= OnCancel;
        _source.Dispose();
    }

    private void OnCancel(object? sender, ConsoleCancelEventArgs e)
    {
        e.Cancel = true;
        if (_source.IsCancellationRequested)
            Environment.Exit(SamplesApp.Interrupted);  // an exit, not a kill: unfinished output is removed on the way
        _source.Cancel();
    }
}
