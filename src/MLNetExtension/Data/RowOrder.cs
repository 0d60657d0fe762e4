namespace MLNetExtension.Data;

/// <summary>In which order an epoch visits the rows.</summary>
public enum RowOrder
{
    /// <summary>Shuffled anew in every epoch, by the seed.</summary>
    Shuffled,

    /// <summary>As the data gives them, the same in every epoch: for a curriculum, or to repeat what another trainer did.</summary>
    AsGiven,
}
