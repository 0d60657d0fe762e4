namespace MLNetExtension.Training.Ranks;

/// <summary>Ranks made different calls where all must make the same one: each rank throws it, so each leaves what it was doing, and none may wait for the others any more.</summary>
/// <param name="message">Which rank called what.</param>
internal sealed class UnequalCallsException(string message) : InvalidOperationException(message);
