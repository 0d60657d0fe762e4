namespace MLNetExtension.Training.Splitting;

/// <summary>Trials that end with the choice of a plan.</summary>
internal interface IPlanTrials
{
    /// <summary>The plans under trial.</summary>
    TrialRounds Rounds { get; }

    /// <summary>The plan without which there is nothing to compare; null where any can be given up.</summary>
    Candidate? Needed { get; }

    /// <summary>The plan that is chosen, when trials are over; null where they found that all plans are to be tried again.</summary>
    Candidate? Chosen { get; }

    /// <summary>Ends a round, and starts the next unless trials are over.</summary>
    /// <returns>Whether they are.</returns>
    bool EndRound();
}
