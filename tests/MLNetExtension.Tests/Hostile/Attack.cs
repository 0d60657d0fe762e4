namespace MLNetExtension.Tests.Hostile;

/// <summary>How long the attacks are: whole where the environment variable <c>ATTACKS</c> is <c>full</c>, as in <c>.ci/run</c>; else a fiftieth, so that <c>dotnet test</c> stays quick.</summary>
internal static class Attack
{
    private static readonly bool Full = Environment.GetEnvironmentVariable("ATTACKS") == "full";

    /// <summary>How many of the blows of an attack are struck.</summary>
    /// <param name="full">How many the whole attack has.</param>
    public static int Scale(int full) => Full ? full : (full + 49) / 50;
}
