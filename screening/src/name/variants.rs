//! Given names that are written or spoken in several ways; general knowledge of names, not of any list.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Hashing;

const GROUPS: &[&str] = &[
    "muhammad mohammed mohamed muhammed mohammad muhamad mohamad mohamet mehmet mahomet muhammet mukhammad magomed",
    "ahmad ahmed ahmet akhmad akhmed",
    "yusuf yousef youssef yusif joseph josef jose iosif giuseppe",
    "hussein husayn husein hussain hosein hossein husain huseyn",
    "abdullah abdallah abdulla abdalla",
    "abdulrahman abdurrahman abdelrahman abderrahmane abdirahman",
    "alexander aleksandr aleksander alexandr alexandre alessandro alejandro oleksandr alex sasha iskander",
    "dmitri dmitry dmitrii dimitri dmitriy dmytro",
    "sergei sergey sergej serhiy sergio serge",
    "yevgeny evgeny evgenii evgeniy eugene yevgeniy yevhen eugenio",
    "khalid khaled haled halid",
    "qasim kasim kassem qassem qasem",
    "zhang chang",
    "li lee",
    "wang wong",
    "gaddafi qaddafi kadafi khadafy qadhafi gadhafi",
    "osama usama oussama",
    "jaber jabir gaber gabir",
    "nasser nasir naser nassir",
    "ibrahim abraham ebrahim ibrahima",
    "ismail ishmael esmail",
    "yakub yaqub jacob jakob jacques james jaime giacomo iago",
    "john johann johannes jean juan ivan jan giovanni joao ian sean jack johnny jon hans",
    "michael mikhail michel miguel michele mikhael mihail mike mykhailo",
    "peter pyotr petr pedro pierre pietro piotr petro",
    "paul pavel pablo paolo pavlo",
    "nicholas nikolai nikolay nicolas mykola nick nikola nicola",
    "george georgi georgy georges jorge jurgen yuri giorgio georgios",
    "william wilhelm guillermo bill will billy guillaume liam",
    "robert roberto bob rob bobby",
    "richard ricardo dick rick",
    "theodore fyodor feodor theo ted teodoro fedor",
    "edward eduardo eduard ed eddie",
    "benjamin ben benny",
    "thomas tom tomas tommy",
    "daniel dan danny",
    "david dawud daoud davud dave",
    "anthony antonio anton tony antoine",
    "andrew andrei andrey andre andres andreas andriy andy",
    "stephen steven stefan esteban steve stepan etienne stefano",
    "joshua josh",
    "matthew mateo matthias matvei matteo matt",
    "mark marc marco marcus markus",
    "luke lucas luca lukas luis louis lewis",
    "charles carlos karl carl carlo charlie karel",
    "henry enrique heinrich henri enrico",
    "frederick friedrich frederic federico fred fryderyk",
    "francis francisco franz francois francesco frank",
    "vladimir volodymyr wladimir vova uladzimir",
    "elizabeth elisabeth elisabet liz isabel yelizaveta elizaveta",
    "catherine katherine ekaterina yekaterina katarina kate kateryna catalina",
    "mary maria marie mariam maryam miriam",
    "anna anne ann ana hannah hanna",
    "helen helena elena yelena olena",
    "julia yulia giulia juliya",
    "natalia natalya nataliya natalie",
    "samuel sam",
    "christopher chris christoph kristofer cristobal",
    "maximilian max maxim maksim",
    "xavier javier",
    "lawrence laurence lorenzo larry laurent",
    "ronald ron",
    "james jim jimmy",
    "omar umar omer",
    "osman othman uthman usman",
    "sulaiman suleiman suleyman solomon sulayman soliman",
    "fatima fatema fatma",
    "aisha ayesha aysha aicha",
    "zaynab zainab zeinab zeynep",
    "moussa musa mousa moses moise",
    "isa issa eisa jesus",
    "yahya yehia yahia",
    "haroun harun haroon aaron",
    "cho jo",
    "choi choe",
    "park pak bak",
    "yi rhee ri",
    "chen tan",
    "huang hwang",
    "nguyen nguyên",
];

static GROUP_OF: LazyLock<HashMap<&'static str, u16, Hashing>> = LazyLock::new(|| {
    let mut groups = HashMap::default();
    for (group, names) in GROUPS.iter().enumerate() {
        for name in names.split(' ') {
            groups.entry(name).or_insert(group as u16);
        }
    }
    groups
});

/// The group of a name's variants.
pub(crate) fn group(text: &str) -> Option<u16> {
    GROUP_OF.get(text).copied()
}
