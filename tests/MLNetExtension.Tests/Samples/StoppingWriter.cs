namespace MLNetExtension.Tests.Samples;

/// <summary>Cancels as soon as a text is written that holds a sign.</summary>
internal sealed class StoppingWriter(string sign, CancellationTokenSource source) : StringWriter
{
    public override void Write(string? value)
    {
        base.Write(value);
        if (value?.Contains(sign, StringComparison.Ordinal) == true)
            source.Cancel();
    }
}
