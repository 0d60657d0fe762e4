namespace Microsoft.ML.Runtime;

/// <summary>What hosts and channels share: a name, and marking the exceptions that pass through them.</summary>
internal abstract class MessageSource(string shortName, string parentFullName) : IExceptionContext
{
    public string ShortName { get; } = shortName;
    public string ParentFullName { get; } = parentFullName;
    public string FullName { get; } = string.IsNullOrEmpty(parentFullName) ? shortName : $"{parentFullName}; {shortName}";
    public virtual string ContextDescription => FullName;

    public abstract TException Process<TException>(TException ex)
        where TException : Exception;
}

/// <summary>The environment behind an <see cref="MLContext"/>: it gives out hosts, each with a random generator seeded by its parent's.</summary>
internal class HostEnvironment : MessageSource, IHostEnvironmentInternal
{
    private readonly HostEnvironment _parent;
    private readonly Action<MessageSource, ChannelMessage> _listener;
    private readonly object _lock = new();

    public HostEnvironment(int? seed, Action<MessageSource, ChannelMessage> listener)
        : base(null, null)
    {
        Seed = seed;
        Rand = RandomUtils.Create(seed);
        ComponentCatalog = new ComponentCatalog();
        _listener = listener;
    }

    // The parent's own name is not in the child's: the genuine package starts the path at the grandparent.
    private protected HostEnvironment(HostEnvironment parent, string name, Random rand)
        : base(name, parent._parent?.FullName)
    {
        Rand = rand;
        Seed = parent.Seed;
        ComponentCatalog = parent.ComponentCatalog;
        GpuDeviceId = parent.GpuDeviceId;
        FallbackToCpu = parent.FallbackToCpu;
        _listener = parent._listener;
        _parent = parent;
    }

    public Random Rand { get; }
    public int? Seed { get; }
    public bool FallbackToCpu { get; set; }
    public int? GpuDeviceId { get; set; }
    public ComponentCatalog ComponentCatalog { get; }
    public override string ContextDescription => "HostEnvironment";

    public IHost Register(string name, int? seed = null, bool? verbose = null)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        lock (_lock)
            return new Host(this, name, seed.HasValue ? RandomUtils.Create(seed) : RandomUtils.Create(Rand));
    }

    public IChannel Start(string name) => new Channel(this, name, _listener);
    public IPipe<TMessage> StartPipe<TMessage>(string name) => new Pipe<TMessage>(this, name);

    public IProgressChannel StartProgressChannel(string name)
    {
        Contracts.CheckNonEmpty(name, nameof(name));
        return new ProgressChannel();
    }

    public override TException Process<TException>(TException ex)
    {
        ex.Data["Throwing component"] = "Environment";
        return Contracts.Mark(ex);
    }

    private sealed class Host(HostEnvironment parent, string name, Random rand) : HostEnvironment(parent, name, rand), IHost;
}

/// <summary>A pipe nobody listens to, as every pipe but a channel is in the genuine package too.</summary>
internal class Pipe<TMessage>(MessageSource parent, string name) : MessageSource(name, parent.FullName), IPipe<TMessage>
{
    private bool _disposed;

    public virtual void Send(TMessage msg)
    {
    }

    public void Dispose()
    {
        if (!_disposed)
            Finish();
        _disposed = true;
    }

    public override TException Process<TException>(TException ex)
    {
        ex.Data["Throwing component"] = parent.ShortName;
        ex.Data["Parent component"] = parent.ParentFullName;
        ex.Data["Phase"] = ShortName;
        return Contracts.Mark(ex);
    }

    private protected virtual void Finish()
    {
    }
}

internal sealed class Channel : Pipe<ChannelMessage>, IChannel
{
    private readonly Action<MessageSource, ChannelMessage> _listener;
    private readonly long _start = TimeProvider.System.GetTimestamp();

    public Channel(MessageSource parent, string name, Action<MessageSource, ChannelMessage> listener)
        : base(parent, name)
    {
        _listener = listener;
        Trace(MessageSensitivity.None, "Channel started");
    }

    public override void Send(ChannelMessage msg) => _listener(this, msg);
    public void Trace(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Trace, sensitivity, fmt));
    public void Trace(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(new(ChannelMessageKind.Trace, sensitivity, fmt, args));
    public void Error(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Error, sensitivity, fmt));
    public void Error(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(new(ChannelMessageKind.Error, sensitivity, fmt, args));
    public void Warning(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Warning, sensitivity, fmt));

    public void Warning(MessageSensitivity sensitivity, string fmt, params object[] args) =>
        Send(new(ChannelMessageKind.Warning, sensitivity, fmt, args));

    public void Info(MessageSensitivity sensitivity, string fmt) => Send(new(ChannelMessageKind.Info, sensitivity, fmt));
    public void Info(MessageSensitivity sensitivity, string fmt, params object[] args) => Send(new(ChannelMessageKind.Info, sensitivity, fmt, args));

    private protected override void Finish()
    {
        Trace(MessageSensitivity.None, "Channel finished. Elapsed {0:c}.", TimeProvider.System.GetElapsedTime(_start));
        Trace(MessageSensitivity.None, "Channel disposed");
    }
}

/// <summary>Nothing polls progress, so there is nobody to tell.</summary>
internal sealed class ProgressChannel : IProgressChannel
{
    public void SetHeader(ProgressHeader header, Action<IProgressEntry> fillAction)
    {
    }

    public void Checkpoint(params double?[] values)
    {
    }

    public IProgressChannel StartProgressChannel(string name) => this;

    public void Dispose()
    {
    }
}
