namespace KimiLinear.Tensors;

/// <summary>Some of the data types.</summary>
internal readonly record struct DataTypeSet(uint Bits)
{
    public static DataTypeSet operator |(DataTypeSet a, DataTypeSet b) => new(a.Bits | b.Bits);

    public static DataTypeSet Of(DataType type) => new(1u << (int)type);

    public static DataTypeSet Of(IEnumerable<DataType> types) =>
        types.Aggregate(default(DataTypeSet), (set, type) => set | Of(type));

    public bool Overlaps(DataTypeSet other) => (Bits & other.Bits) != 0;

    public bool Contains(DataType type) => (Bits & (1u << (int)type)) != 0;
}
