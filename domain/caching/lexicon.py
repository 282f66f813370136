"""Words that tell questions apart although embeddings hardly do.

`KINDS` are sets whose members exclude each other: a question about one member is not answered by an answer
about another; `a=b` says that two spellings mean one member. `OPPOSITES` are kinds of two.
"""

from typing import Final


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _meanings(text: str) -> dict[str, str]:
    """Rows `meaning: word word …`."""
    return {
        word: row.partition(":")[0].strip()
        for row in text.split(";")
        for word in row.partition(":")[2].split()
    }


FILLERS: Final = _words(
    """
really actually indeed literally truly honestly basically just simply please kindly exactly definitely
certainly obviously seriously quite very so also even ever some any anyone someone there
"""
)
"""Words that hardly ever change which answer is right."""

FUNCTION_WORDS: Final = _words(
    """
a an the this that these those of in on at by for to from with about into as and or but if then than is
are was were be been being am do does did doing done have has had having can could will would shall should
may might must i you he she it we they me him her us them my your his its our their mine yours who whom
whose which what when where why how whether there here s t re ve ll d m it's what's let one get got go
"""
)
"""English words without a subject of their own."""

FOREIGN_FUNCTION_WORDS: Final = _words(
    """
el la los las una unos para por como que del con su es est le les des une pour dans avec sur pas je vous
der die das und ist nicht ein eine wie ich mit von zu den auf il lo gli di che per non sono come um uma os
não em do da het een van niet ik w nie jak jest czy na się och att det som är inte
"""
)

NEGATIONS: Final = _words(
    """
not never no none nobody nothing nowhere neither nor without cannot cant dont doesnt didnt isnt arent
wasnt werent wont wouldnt shouldnt couldnt havent hasnt hadnt aint mustnt neednt unable except excluding
non
"""
)

MALE: Final = _words(
    """
he him his himself
"""
)

FEMALE: Final = _words(
    """
she her hers herself
"""
)

NUMBER_WORDS: Final = _meanings(
    """
0: zero; 2: two twice; 3: three third thrice; 4: four fourth; 5: five fifth; 6: six sixth; 7: seven
seventh; 8: eight eighth; 9: nine ninth; 10: ten tenth; 11: eleven; 12: twelve dozen; 13: thirteen; 14:
fourteen; 15: fifteen; 16: sixteen; 17: seventeen; 18: eighteen; 19: nineteen; 20: twenty; 30: thirty; 40:
forty; 50: fifty; 60: sixty; 70: seventy; 80: eighty; 90: ninety; 100: hundred; 1000: thousand k; 100000:
lakh; 1000000: million mn; 10000000: crore; 1000000000: billion bn; 1000000000000: trillion; 0.5: half
"""
)
"""One, first and second are left out: they mostly count nothing."""

UNITS: Final = _meanings(
    """
usd: $ usd dollar dollars bucks; eur: € eur euro euros; gbp: £ gbp pound pounds; inr: ₹ rs rupee rupees
inr; jpy: ¥ yen jpy; percent: % percent pct; ms: ms millisecond milliseconds; s: sec secs second seconds;
min: min mins minute minutes; h: hr hrs hour hours; day: day days; week: week weeks; month: month months;
year: yr yrs year years; mm: mm millimeter millimeters millimetres; cm: cm centimeters centimetres; m:
meter meters metre metres; km: km kilometer kilometers kilometres; mile: mile miles mi; inch: inch inches;
foot: foot feet ft; g: gram grams; kg: kg kgs kilo kilos kilograms; lb: lb lbs; oz: oz ounce ounces; l:
liter liters litre litres; ml: ml; kb: kb; mb: mb; gb: gb; tb: tb; c: °c celsius; f: °f fahrenheit; mph:
mph; kmh: kmh kph
"""
)

OPPOSITES: Final = """
before/after more/less most/least more/fewer better/worse best/worst good/bad great/terrible big/small
large/small high/low higher/lower highest/lowest tall/short long/short longer/shorter fast/slow
faster/slower quick/slow early/late earlier/later first/last old/young older/younger old/new hot/cold
warm/cool wet/dry light/heavy light/dark bright/dark strong/weak hard/soft hard/easy difficult/easy
rich/poor cheap/expensive buy/sell lend/borrow give/take send/receive import/export import/remove
add/remove add/delete add/subtract install/uninstall install/remove create/delete create/destroy
open/close opened/closed start/stop start/end start/finish begin/end enable/disable activate/deactivate
block/unblock lock/unlock subscribe/unsubscribe follow/unfollow win/lose gain/lose increase/decrease
increase/reduce raise/lower rise/fall grow/shrink up/down upgrade/downgrade in/out inside/outside
over/under above/below on/off left/right north/south east/west front/back top/bottom upper/lower
maximum/minimum max/min max/minimum maximum/min all/none always/never everyone/nobody male/female
man/woman men/women boy/girl guy/girl husband/wife father/mother dad/mom son/daughter brother/sister
uncle/aunt boyfriend/girlfriend king/queen actor/actress love/hate like/dislike like/hate accept/reject
accept/refuse allow/forbid allow/prevent allow/deny legal/illegal safe/dangerous safe/unsafe
healthy/unhealthy happy/sad positive/negative plus/minus pros/cons advantage/disadvantage benefit/risk
benefit/drawback strength/weakness success/failure succeed/fail pass/fail true/false true/wrong
right/wrong correct/wrong correct/incorrect public/private real/fake natural/artificial same/different
similar/different begin/finish arrive/leave arrive/depart enter/exit enter/leave login/logout push/pull
encrypt/decrypt encode/decode compress/decompress upload/download deposit/withdraw credit/debit
debit/credit income/expense profit/loss asset/liability supply/demand employer/employee teacher/student
doctor/patient parent/child buyer/seller lender/borrower landlord/tenant attack/defend war/peace
alive/dead live/die birth/death married/single marry/divorce pregnant/infertile introvert/extrovert
optimist/pessimist conservative/liberal conservative/progressive republican/democrat left-wing/right-wing
theist/atheist pro/anti pro/amateur hire/fire employ/dismiss smart/stupid clever/dumb beautiful/ugly
attractive/ugly clean/dirty full/empty thick/thin fat/thin fat/skinny fat/slim wide/narrow deep/shallow
near/far loud/quiet noisy/quiet brave/cowardly polite/rude kind/cruel generous/selfish honest/dishonest
patient/impatient possible/impossible visible/invisible active/passive passive/aggressive proud/humble
humble/arrogant lazy/hardworking calm/nervous confident/shy confident/insecure simple/complex
simple/complicated common/rare ancient/modern online/offline sync/async client/server internal/external
domestic/foreign domestic/international local/remote local/global physical/virtual theory/practice
question/answer cause/effect cause/cure cause/prevent cure/prevent lose/find forget/remember save/spend
save/waste build/destroy save/kill hide/show hidden/visible include/exclude accelerate/brake acid/base
veg/non-veg vegetarian/carnivore input/output read/write get/post row/column horizontal/vertical odd/even
hardware/software frontend/backend wholesale/retail permanent/temporary voluntary/mandatory
optional/mandatory optional/required freeze/boil freeze/melt sunrise/sunset day/night morning/evening
morning/night summer/winter past/future yesterday/tomorrow today/tomorrow today/yesterday previous/next
last/next
"""

KINDS: Final = """
january=jan february=feb march april june july august=aug september=sept october=oct november=nov
  december=dec;
monday=mon tuesday=tue wednesday=wed thursday=thu friday=fri saturday=sat sunday;
spring summer autumn=fall winter;
red blue green yellow orange purple black white pink brown grey=gray;
dollar=usd euro=eur pound=gbp rupee=inr yen=jpy yuan=rmb franc peso ruble bitcoin ethereum;
python java javascript=js typescript c++ c# ruby php golang rust swift kotlin perl scala matlab fortran
  cobol r;
windows linux macos=mac android ios ubuntu debian fedora;
chrome firefox safari edge opera;
facebook instagram whatsapp twitter snapchat tiktok linkedin youtube reddit pinterest telegram quora
  tinder skype;
google yahoo bing duckduckgo;
gmail outlook hotmail;
amazon flipkart ebay walmart alibaba;
aws azure gcp;
postgres=postgresql mysql sqlite mongodb oracle redis cassandra;
iphone ipad ipod samsung nokia oneplus xiaomi huawei motorola htc pixel;
toyota honda ford bmw audi mercedes tesla hyundai nissan suzuki volkswagen porsche ferrari lamborghini;
head skull neck throat shoulder arm forearm elbow wrist hand finger chest back hip knee leg ankle
  foot=feet toe skin nose ear eye mouth tooth=teeth stomach butt=buttock thumb heel rib spine thigh shin
  calf body jaw chin tongue lip heart liver lung kidney brain face hair beard;
football soccer tennis basketball baseball cricket hockey golf rugby volleyball badminton swimming boxing
  chess;
dog cat horse cow pig goat sheep fish bird rabbit rat mouse=mice hamster snail lizard snake lion tiger
  bear elephant monkey chicken duck frog turtle spider parrot wolf fox;
apple banana mango grape lemon strawberry peach pear pineapple watermelon;
beef pork lamb rice pasta bread cheese milk coffee tea beer wine vodka whiskey water soda juice;
mercury venus earth mars jupiter saturn uranus neptune pluto moon sun;
gold silver copper iron aluminum=aluminium platinum bronze steel lead zinc titanium;
english spanish french german italian chinese=mandarin japanese korean russian arabic hindi tamil telugu
  bengali portuguese latin urdu marathi punjabi greek turkish dutch polish swedish hebrew;
christian=christianity muslim=islam hindu=hinduism buddhist=buddhism jew=jewish=judaism sikh=sikhism jain;
physics chemistry biology mathematics=math=maths history geography economics philosophy psychology
  sociology;
civil mechanical electrical chemical aerospace biomedical;
mba mbbs btech=b.tech mtech=m.tech phd bsc msc bca mca;
car bus train plane=airplane bike=bicycle motorcycle truck ship boat;
breakfast lunch dinner;
actor singer dancer writer author editor journalist lawyer=attorney engineer nurse pilot architect
  accountant auditor banker historian scientist economist investor advisor=adviser intern analyst chef
  cook politician professor secretary soldier waiter consultant entrepreneur;
visa mastercard paypal stripe;
json xml yaml csv html css sql;
tcp udp http https ftp ssh;
tuple list dict=dictionary set array;
india=indian china pakistan=pakistani america=american=usa=u.s britain=british=uk england canada=canadian
  australia=australian germany france spain italy japan russia=russian brazil=brazilian mexico=mexican
  korea israel=israeli iran=iranian iraq=iraqi syria=syrian turkey egypt=egyptian nigeria=nigerian
  kenya=kenyan ghana ethiopia=ethiopian afghanistan=afghan bangladesh=bangladeshi nepal=nepali=nepalese
  bhutan srilanka thailand=thai vietnam=vietnamese philippines=filipino indonesia=indonesian
  malaysia=malaysian singapore=singaporean taiwan=taiwanese cuba=cuban argentina=argentine chile=chilean
  peru=peruvian colombia=colombian venezuela=venezuelan ukraine=ukrainian poland sweden norway=norwegian
  denmark=danish finland=finnish iceland=icelandic netherlands belgium=belgian switzerland=swiss
  austria=austrian portugal greece ireland=irish scotland=scottish wales=welsh hungary=hungarian
  romania=romanian bulgaria=bulgarian serbia=serbian croatia=croatian qatar dubai=uae kuwait oman yemen
  jordan lebanon=lebanese libya tunisia morocco=moroccan algeria sudan=sudanese somalia=somali congo
  uganda tanzania zimbabwe zambia cambodia laos myanmar=burma mongolia kazakhstan;
london paris berlin madrid rome moscow tokyo beijing shanghai delhi mumbai=bombay bangalore=bengaluru
  chennai=madras kolkata=calcutta hyderabad pune ahmedabad jaipur karachi lahore kabul tehran baghdad
  cairo lagos nairobi johannesburg sydney melbourne toronto vancouver montreal chicago boston seattle
  houston dallas austin miami atlanta denver detroit philadelphia phoenix vegas dublin amsterdam brussels
  vienna zurich geneva munich barcelona lisbon athens istanbul dubai singapore bangkok manila jakarta
  seoul;
california texas florida ohio michigan georgia virginia arizona nevada oregon colorado illinois
  pennsylvania massachusetts alaska hawaii;
africa asia europe antarctica
"""
