"""Which kinds of nodes of sqlglot's trees free SQL may be made of. What is not here is refused."""

from typing import Final

from sqlglot import exp

from domain.connectors.sql_functions import FUNCTIONS, words

STRUCTURE: Final = words(
    """
    Add Alias All And Anonymous Any Array ArrayContainedBy ArrayContainsAll ArrayOverlaps AtTimeZone
    Between BitwiseAnd BitwiseLeftShift BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Boolean
    Bracket ByteString CTE Case Cast Collate Column Convert Cube DPipe DataType DataTypeParam Distinct
    Div Dot EQ Escape Except Exists Fetch Filter From GT GTE Glob Group GroupingSets Having HexString ILike
    Identifier If IgnoreNulls In IntDiv Intersect Interval IntervalSpan Is JSONBContains JSONBExtract
    JSONBExtractScalar JSONExtract JSONExtractScalar JSONPath JSONPathKey JSONPathRoot JSONPathSubscript
    Join LT LTE Lambda Lateral Like Limit LimitOptions Literal Mod Mul NEQ National Neg Not Null
    NullSafeEQ NullSafeNEQ Offset Or Order Ordered Paren Pow PropertyEQ Qualify RegexpILike RegexpLike
    RespectNulls Rollup Select SimilarTo Slice Star Sub Subquery Table TableAlias TryCast TsOrDsAdd
    TsOrDsToDate TsOrDsToTimestamp Tuple Union Unnest Values Var Where Window WindowSpec With
    WithinGroup Xor
    """
)
"""Without functions, which are known by their names."""
WRITING: Final = frozenset({"Insert", "Update", "Delete", "Schema", "Returning", "OnConflict"})
STATEMENTS_READING: Final = (exp.Select, exp.SetOperation, exp.Values, exp.Subquery)
STATEMENTS_WRITING: Final = (exp.Insert, exp.Update, exp.Delete)
WITHOUT_PARENTHESES: Final = frozenset(
    {"CurrentDate", "CurrentTime", "CurrentTimestamp", "Localtime", "Localtimestamp"}
)
_TYPE_NAMES: Final = words(
    """
    ARRAY BIGDECIMAL BIGINT BINARY BIT BOOLEAN BPCHAR CHAR DATE DATE32 DATETIME DATETIME2 DECFLOAT
    DECIMAL DOUBLE FLOAT INET INT INT128 INTERVAL JSON JSONB LIST LONGTEXT MEDIUMINT MEDIUMTEXT MONEY
    NCHAR NVARCHAR SMALLDATETIME SMALLINT SMALLMONEY TEXT TIME TIMESTAMP TIMESTAMPLTZ TIMESTAMPNTZ
    TIMESTAMPTZ TIMESTAMP_MS TIMESTAMP_NS TIMESTAMP_S TIMETZ TINYINT TINYTEXT UBIGINT UDECIMAL UINT
    UMEDIUMINT USMALLINT UTINYINT UUID VARBINARY VARCHAR YEAR
    """
)
TYPES: Final = frozenset(exp.DType[name] for name in _TYPE_NAMES)
_OF_A_SELECT: Final = """
    with_ expressions distinct from_ joins laterals where group having qualify windows order limit offset
"""
ARGUMENTS: Final = {
    "Select": words(_OF_A_SELECT),
    "Table": frozenset({"this", "db", "alias", "joins", "ordinality"}),
    "Subquery": frozenset({"this", "alias", "with_", "joins", "order", "limit", "offset", "where"}),
    "Insert": frozenset({"this", "expression", "with_", "conflict", "returning"}),
    "Update": frozenset({"this", "expressions", "from_", "where", "returning", "with_"}),
    "Delete": frozenset({"this", "where", "returning", "with_"}),
    "Returning": frozenset({"expressions"}),
    "Lateral": frozenset({"this", "alias", "cross_apply", "ordinality"}),
    "With": frozenset({"expressions", "recursive"}),
    "CTE": frozenset({"this", "alias", "materialized", "scalar"}),
    "Union": frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),
    "Intersect": frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),
    "Except": frozenset({"with_", "this", "expression", "distinct", "order", "limit", "offset"}),
    "Values": frozenset({"expressions", "alias", "order", "limit", "offset"}),
    "Limit": frozenset({"expression"}),
    "Fetch": frozenset({"direction", "count", "limit_options"}),
    "LimitOptions": frozenset({"rows"}),
    "Join": frozenset({"this", "on", "side", "kind", "using", "method"}),
    "Column": frozenset({"this", "table", "db"}),
    "Cast": frozenset({"this", "to", "safe"}),
    "TryCast": frozenset({"this", "to", "safe"}),
    "Star": frozenset({"except_", "replace", "rename"}),
    "Order": frozenset({"this", "expressions"}),
    "Ordered": frozenset({"this", "desc", "nulls_first"}),
}
"""What such a node may say; other arguments (hints, locks, INTO, samples) are refused when they are set."""


_HARMLESS: Final = frozenset[str]().union(*FUNCTIONS.values())


def is_known_function(kind: type[exp.Func]) -> bool:
    """Whether some database has a harmless function of that kind; its name is judged when it is written."""
    name = kind.__name__
    if name in WITHOUT_PARENTHESES or name in _BY_OTHER_NAMES:
        return True
    return any(called.lower() in _HARMLESS for called in kind.sql_names())


_BY_OTHER_NAMES: Final = words(
    """
    ArrayAgg ArrayAll ArrayConcat ArrayContains ArrayDistinct ArrayMax ArrayMin ArraySize ArraySort
    ArrayToString BitwiseAndAgg BitwiseCount BitwiseOrAgg BitwiseXorAgg ConvertTimezone CountIf DPipe
    DateAdd DateDiff DateFromParts DateStrToDate DateSub DateTrunc Day DayOfMonth DayOfWeek DayOfYear
    Decode DecodeCase Explode ExplodingGenerateSeries GenerateDateArray GenerateSeries Glob GroupConcat
    JSONArray JSONArrayAgg JSONBObjectAgg JSONExists JSONExtractArray JSONKeyValue JSONObject
    JSONObjectAgg JSONValue JarowinklerSimilarity LogicalAnd LogicalOr MD5Digest MatchAgainst Month
    ParseJSON PercentileCont PercentileDisc Quantile RegexpExtract RegexpExtractAll RegexpFullMatch
    RegexpSplit SHA SHA2 SafeDivide Split SplitPart StartsWith Stddev StddevPop StddevSamp StrPosition
    StrToDate StrToTime StrToUnix StringToArray Struct TimeStrToTime TimeToStr TimeToUnix TimestampAdd
    TimestampDiff TimestampFromParts TimestampSub TimestampTrunc ToChar TsOrDiToDi UnixToStr UnixToTime
    Variance VariancePop Week Year
    """
)
"""Kinds that stand for a function of another name; what they are written as has to be allowed."""
